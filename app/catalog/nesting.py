"""How much work an HTML parser has with a text: judged beforehand, in one linear pass.

A parser walks its stack of open elements at almost every tag, so that its time grows with the square of the depth:
90 KB of ``<b id=1><p><b id=2><p>...`` keep html5ever busy for half a minute. The scan here never sees less open than a
parser does: an end tag closes only the element that was opened last, and a tag that is written irregularly stays open.
"""

from __future__ import annotations

import re

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
# They are closed by the next of their kind: only something else in between lets them nest.
IMPLIED = frozenset(
    {"p", "li", "dt", "dd", "tr", "td", "th", "tbody", "thead", "tfoot", "option", "optgroup", "colgroup", "rp", "rt"}
)
_TAG = re.compile(
    r"""
    <(?: (?P<comment>!--)
       | [!?](?!\[CDATA) [^<>]*+ >
       | (?P<slash>/?) (?P<name>[a-z][a-z0-9:._-]*+)
         (?: [ \t\n\f\r]++ [^ \t\n\f\r"'<>/=]++
             (?: [ \t\n\f\r]*+ = [ \t\n\f\r]*+ (?: "[^"<>]*+" | '[^'<>]*+' | [^ \t\n\f\r"'<>=`]++ ) )?+ )*+
         [ \t\n\f\r]*+ /?+ (?P<regular>>)?+
       | (?P<odd>[!?/]) )
    | (?P<end>-->)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


def nesting_work(html: str) -> int:
    """The number of open elements, summed over all tags: at least what a parser has to look at."""
    work, open_elements = 0, list[str]()
    for tag in _TAG.finditer(html):
        name, regular = (tag["name"] or "").lower(), tag["regular"] is not None
        if tag["comment"] or tag["end"]:
            name, regular = "!--", True
        elif not name and not tag["odd"]:
            continue
        work += len(open_elements) + 1
        if tag["slash"] or tag["end"]:
            if regular and open_elements and open_elements[-1] == name:
                open_elements.pop()
        elif not regular:
            open_elements.append("")
        elif name not in VOID and name not in IMPLIED:
            open_elements.append(name)
    return work

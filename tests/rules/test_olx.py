"""Reading OLX folders: pointers, inline elements, what is lost, what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from app.catalog.olx import OlxRefused, read_olx

DEMO = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "openedx-demo-course" / "course"


def folder(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def course(inside: str) -> str:
    return f'<course org="O" course="C" url_name="r" display_name="Curso" language="es">{inside}</course>'


def unit(inside: str) -> str:
    return course(
        f"""<chapter url_name="c" display_name="Uno"><sequential url_name="s" display_name="Dos">
        <vertical url_name="v" display_name="Tres">{inside}</vertical></sequential></chapter>"""
    )


def refusals(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(OlxRefused) as refused:
        read_olx(path)
    return [(problem.code, problem.path) for problem in refused.value.problems]


def test_pointers_are_followed_and_inline_elements_read(tmp_path: Path) -> None:
    found = read_olx(
        folder(
            tmp_path,
            {
                "course.xml": '<course url_name="r" org="O" course="C"/>',
                "course/r.xml": '<course display_name="Curso" language="es"><chapter url_name="c"/></course>',
                "chapter/c.xml": '<chapter display_name="Uno"><sequential url_name="s"/></chapter>',
                "sequential/s.xml": '<sequential display_name="Dos"><vertical url_name="v"/></sequential>',
                "vertical/v.xml": """<vertical display_name="Tres"><html url_name="h"/>
                    <html display_name="I"><p>x</p></html>
                    <video url_name="w" youtube_id_1_0="AOUEsgFrYeg" start_time="00:01:00" end_time="00:02:30"/>
                    </vertical>""",
                "html/h.xml": '<html filename="h" display_name="Texto"/>',
                "html/h.html": "<p>hola</p>",
                "about/overview.html": "<p>de qué trata</p>",
            },
        )
    )
    assert (found.title, found.language, found.key) == ("Curso", "es", "O/C")
    assert found.description_html == "<p>de qué trata</p>"
    [module] = found.modules
    [lesson] = module.lessons
    assert (module.title, lesson.title) == ("Uno", "Dos")
    shown = [(block.kind, block.title) for block in lesson.blocks]
    assert shown == [("rich_text", "Tres · Texto"), ("rich_text", "I"), ("video", "")]
    assert lesson.blocks[0].content["html"] == "<p>hola</p>"
    assert lesson.blocks[2].content == {
        "url": "https://www.youtube.com/watch?v=AOUEsgFrYeg", "duration_seconds": 90, "captions_url": None,
    }  # fmt: skip


def test_what_has_no_counterpart_is_listed_with_its_reason(tmp_path: Path) -> None:
    parts = """<problem display_name="P"><choiceresponse/></problem><discussion/>
        <lti launch_url="https://tool.example.org/x" display_name="T"/><annotatable><p>leer</p></annotatable>
        <poll question="?" answers='[["a", {"label": "Sí"}], ["b", "No"]]'/>
        <library_content><problem><stringresponse/></problem>
        </library_content><html><p><img src="/static/a b.png"/><script>x</script></p></html>
        <openassessment><prompts><prompt><description>Escribe</description></prompt></prompts></openassessment>"""
    found = read_olx(folder(tmp_path, {"course.xml": unit(parts)}))
    kinds = [block.kind for block in found.modules[0].lessons[0].blocks]
    assert kinds == ["quiz", "rich_text", "rich_text", "rich_text", "quiz", "rich_text", "rich_text"]
    elements = {loss.element for loss in found.losses}
    assert {"discussion", "lti", "annotatable", "poll", "library_content", "<script>", "openassessment"} <= elements
    assert found.modules[0].lessons[0].blocks[0].content["question_kind"] == "choiceresponse"
    assert "<li>Sí</li><li>No</li>" in found.modules[0].lessons[0].blocks[3].content["html"]


def test_every_missing_file_is_named_with_who_refers_to_it(tmp_path: Path) -> None:
    parts = '<html url_name="gone"/><video url_name="gone2"/><html filename="lost" display_name="x" url_name="y"/>'
    assert refusals(folder(tmp_path, {"course.xml": unit(parts)})) == [
        ("OLX_FILE_MISSING", "html/gone.xml"),
        ("OLX_FILE_MISSING", "video/gone2.xml"),
        ("OLX_FILE_MISSING", "html/lost.html"),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "OLX_NOT_A_COURSE"),
        ("<library/>", "OLX_NOT_A_COURSE"),
        ("<course", "OLX_NOT_A_COURSE"),
        ('<!DOCTYPE c [<!ENTITY a "aaaa">]><course>&a;</course>', "OLX_NOT_A_COURSE"),
        (unit('<html filename="../../../etc/passwd" url_name="x" display_name="y"/>'), "OLX_PATH_ESCAPES"),
        (unit('<html url_name="../../x"/>'), "OLX_PATH_ESCAPES"),
    ],
)
def test_what_is_not_a_safe_course_is_refused(tmp_path: Path, text: str | None, code: str) -> None:
    found = refusals(folder(tmp_path, {"course.xml": text} if text is not None else {"other.txt": ""}))
    assert code in {problem for problem, _ in found}


def test_a_link_out_of_the_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "secret.html"
    outside.write_text("secret", encoding="utf-8")
    root = folder(tmp_path / "course", {"course.xml": unit('<html filename="link" url_name="x" display_name="y"/>')})
    (root / "html").mkdir()
    (root / "html" / "link.html").symlink_to(outside)
    assert ("OLX_PATH_ESCAPES", "html") in refusals(root)
    (root / "html" / "link.html").unlink()
    (root / "html" / "link.html").write_text("x" * 5_000_001, encoding="utf-8")
    assert refusals(root) == [("OLX_TOO_LARGE", "html/link.html")]


def test_a_course_that_contains_itself_is_refused(tmp_path: Path) -> None:
    root = folder(
        tmp_path,
        {"course.xml": unit('<library_content url_name="l"/>'),
         "library_content/l.xml": '<library_content><library_content url_name="l"/></library_content>'},
    )  # fmt: skip
    assert ("OLX_REPEATED", "library_content/l.xml") in refusals(root)


def test_what_is_referred_to_twice_is_refused_with_the_reason(tmp_path: Path) -> None:
    root = folder(tmp_path, {"course.xml": unit('<html url_name="h"/>' * 2), "html/h.xml": "<html>x</html>"})
    assert refusals(root) == [("OLX_REPEATED", "html/h.xml")]


@pytest.mark.parametrize("name", ["about/overview.html", "html/h.html"])
def test_no_file_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "secret.html"
    outside.write_text("secret", encoding="utf-8")
    parts = '<html filename="h" url_name="x" display_name="y"/>' if name.startswith("html") else ""
    root = folder(tmp_path / "course", {"course.xml": unit(parts)})
    (root / name).parent.mkdir()
    (root / name).symlink_to(outside)
    assert [code for code, _ in refusals(root)] == ["OLX_PATH_ESCAPES"]
    (root / name).unlink()
    (root / name).symlink_to(root / name)
    assert [code for code, _ in refusals(root)] == ["OLX_PATH_ESCAPES"]


@pytest.mark.parametrize(
    "part",
    [
        '<video youtube_id_1_0="AOUEsgFrYeg"><video_asset duration="nan"/></video>',
        '<video youtube_id_1_0="AOUEsgFrYeg"><video_asset duration="inf"/></video>',
        '<video youtube_id_1_0="AOUEsgFrYeg"><video_asset duration="long"/></video>',
        '<video youtube_id_1_0="AOUEsgFrYeg"><video_asset duration="99999999"/></video>',
        '<video youtube_id_1_0="AOUEsgFrYeg" end_time="²:00:00"/>',
        '<video youtube_id_1_0="AOUEsgFrYeg" end_time="99999999999:00:00"/>',
    ],
)
def test_an_impossible_length_is_unknown(tmp_path: Path, part: str) -> None:
    [block] = read_olx(folder(tmp_path, {"course.xml": unit(part)})).modules[0].lessons[0].blocks
    assert block.content["duration_seconds"] is None


@pytest.mark.parametrize(
    "part",
    [
        """<video html5_sources='{"a": 1}'/>""",
        "<video html5_sources='null'/>",
        """<video html5_sources='["https://v.example.org/my film.mp4", "javascript:x"]'/>""",
        "<video html5_sources='[[[['/>",
    ],
)
def test_a_video_without_a_usable_address_is_lost_and_reported(tmp_path: Path, part: str) -> None:
    found = read_olx(folder(tmp_path, {"course.xml": unit(part)}))
    assert found.modules[0].lessons[0].blocks == ()
    assert [(loss.element, loss.severity) for loss in found.losses] == [("video", "high")]


def test_strange_answers_names_and_addresses_do_not_stop_the_reader(tmp_path: Path) -> None:
    long = "n" * 255
    parts = f"""<poll question="?" answers='{{"a": 1}}' questions='7'/>
        <html display_name="I"><p><img src="/static/{long * 20}"/></p></html>
        <html display_name="J">&lt;iframe src="https://www.youtube.com/embed/x y"&gt;</html>"""
    root = folder(tmp_path, {"course.xml": unit(parts).replace('"Uno"', '"  "')})
    found = read_olx(root)
    assert found.modules[0].title == "Module"
    assert [block.kind for block in found.modules[0].lessons[0].blocks] == ["rich_text"] * 3
    pointer = folder(tmp_path / "other", {"course.xml": unit(f'<html url_name="{long}"/>')})
    assert refusals(pointer) == [("OLX_FILE_MISSING", f"html/{long}.xml")]


def test_bottomless_elements_and_json_are_refused(tmp_path: Path) -> None:
    deep = "<library_content>" * 5000 + "</library_content>" * 5000
    assert refusals(folder(tmp_path / "a", {"course.xml": unit(deep)})) == [("OLX_TOO_DEEP", "course.xml")]
    question = "<problem>" + "<p>" * 50_000 + "</p>" * 50_000 + "</problem>"
    assert refusals(folder(tmp_path / "b", {"course.xml": unit(question)})) == [("OLX_TOO_DEEP", "course.xml")]
    answers = "<poll answers='" + "[" * 100_000 + "'/>"
    assert refusals(folder(tmp_path / "c", {"course.xml": unit(answers)})) == [("OLX_TOO_DEEP", "course.xml")]


def test_an_xml_file_says_itself_how_it_is_encoded(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>' + unit("<html><p>año</p></html>").replace("Curso", "Niñez")
    (tmp_path / "course.xml").write_bytes(text.encode("latin-1"))
    found = read_olx(tmp_path)
    assert found.title == "Niñez"
    assert "año" in found.modules[0].lessons[0].blocks[0].content["html"]
    (tmp_path / "course.xml").write_bytes(text.replace("ISO-8859-1", "klingon").encode("latin-1"))
    assert ("OLX_XML_INVALID", "course.xml") in refusals(tmp_path)


def test_a_description_that_is_too_long_is_cut_and_reported(tmp_path: Path) -> None:
    link = '<a href="https://a.example.org">b</a>'
    found = read_olx(folder(tmp_path, {"course.xml": unit(""), "about/overview.html": link * 1000}))
    assert 0 < len(found.description_html) < 20_000
    assert [(loss.source, loss.element) for loss in found.losses] == [("about/overview.html", "overview")]


@pytest.mark.skipif(not DEMO.is_dir(), reason="the Open edX demo course is not beside the project")
def test_the_open_edx_demo_course_is_read_whole() -> None:
    found = read_olx(DEMO)
    lessons = [lesson for module in found.modules for lesson in module.lessons]
    blocks = Counter(block.kind for lesson in lessons for block in lesson.blocks)
    assert (found.title, len(found.modules), len(lessons)) == ("Open edX Demo Course", 6, 17)
    assert (found.components["html"], found.components["video"], found.components["problem"]) == (266, 11, 23)
    assert blocks == {"rich_text": 273, "quiz": 29, "video": 11}
    without_block = {"drag-and-drop-v2", "edx_sga", "staffgradedxblock", "done", "discussion"}
    lost = {loss.element for loss in found.losses}
    assert without_block <= lost

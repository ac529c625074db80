"""What a value must look like: normal forms, refusals with stable codes, and messages that exist in Spanish."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.errors import Invalid
from app.i18n import spanish
from app.identity import validators
from app.identity.validators import Checks, InvalidValue

ONE_VALUE: dict[str, Callable[[str], str]] = {
    "email": validators.email,
    "full_name": validators.full_name,
    "locale": validators.locale,
    "phone": validators.phone,
    "rut": validators.rut,
    "slug": validators.slug,
    "text": lambda value: validators.text(value, maximum=50),
    "time_zone": validators.time_zone,
    "url": validators.url,
}


def code(validate: Callable[..., Any], value: str, **options: Any) -> str:
    """The code a value is refused with."""
    with pytest.raises(InvalidValue) as caught:
        validate(value, **options)
    return caught.value.code


def check_digit(number: int) -> str:
    """Modulus 11, written down here a second time and in another way: weights 2 to 7 from the right, repeated."""
    weights = [2, 3, 4, 5, 6, 7]
    total = sum(int(digit) * weights[place % 6] for place, digit in enumerate(reversed(str(number))))
    return {10: "K", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


ruts = st.integers(1_000_000, 99_999_999)


@given(ruts)
def test_a_rut_passes_in_every_spelling(number: int) -> None:
    digit = check_digit(number)
    expected = f"{number}-{digit}"
    dotted = f"{number:,}".replace(",", ".")
    for spelling in (
        f"{number}-{digit}",
        f"{number}{digit}",
        f"{dotted}-{digit}",
        f" {dotted}-{digit.lower()} ",
        f"{number} {digit}",
        f"0{number}-{digit}",
        f"CL{number}{digit}",
    ):
        assert validators.rut(spelling) == expected


@given(ruts, st.sampled_from("0123456789K"))
def test_a_rut_with_another_check_digit_fails(number: int, digit: str) -> None:
    assume(digit != check_digit(number))
    assert code(validators.rut, f"{number}-{digit}") == "RUT_INVALID"


@given(ruts, st.integers(0, 7), st.integers(1, 9))
def test_a_rut_with_one_digit_changed_fails(number: int, place: int, by: int) -> None:
    digits = list(str(number))
    place %= len(digits)
    digits[place] = str((int(digits[place]) + by) % 10)
    assert code(validators.rut, f"{''.join(digits)}-{check_digit(number)}") == "RUT_INVALID"


@pytest.mark.parametrize("value", ["", "1-9", "00000000-0", "123456789-2", "12.531.9O9-2", "abc", "1" * 5000])
def test_what_is_no_rut_is_refused(value: str) -> None:
    assert code(validators.rut, value) == "RUT_INVALID"


@given(st.from_regex(r"\A[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])\Z"))
def test_a_slug_of_the_right_form_is_itself(value: str) -> None:
    assume(value not in validators.RESERVED_SLUGS and value[2:4] != "--")
    assert validators.slug(value) == value


@given(st.text(max_size=70) | st.text(alphabet="ab1-A.\n", max_size=8))
def test_an_accepted_slug_is_a_label_of_a_host_name(value: str) -> None:
    try:
        accepted = validators.slug(value)
    except InvalidValue:
        return
    assert 3 <= len(accepted) <= 63
    assert set(accepted) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not accepted.startswith("-")
    assert not accepted.endswith("-")


@pytest.mark.parametrize(
    "value",
    ["", "a", "ab", "a" * 64, "-abc", "abc-", "Acme", "añb", "a.b", "a b", "acme\n", "xn--and-6ma2c", "../etc"],
)
def test_a_slug_of_another_form_is_refused(value: str) -> None:
    assert code(validators.slug, value) == "SLUG_INVALID"


@pytest.mark.parametrize("value", ["www", "api", "admin", "app", "mail", "static", "graphql", "control"])
def test_a_reserved_word_is_no_slug(value: str) -> None:
    assert code(validators.slug, value) == "SLUG_RESERVED"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ana@acme.cl", "ana@acme.cl"),
        ("  Ana.Perez+curso@ACME.CL ", "ana.perez+curso@acme.cl"),
        ("ana@ñandú.cl", "ana@xn--and-6ma2c.cl"),
        ("ana@XN--AND-6MA2C.cl", "ana@xn--and-6ma2c.cl"),
        ("ana@acme.test", "ana@acme.test"),
    ],
)
def test_an_email_has_one_spelling(value: str, expected: str) -> None:
    assert validators.email(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ana",
        "ana@",
        "@acme.cl",
        "ana@localhost",
        "a b@acme.cl",
        "ana@acme..cl",
        "ana@acme.cl\r\nBcc: eva@acme.cl",
        "Ana <ana@acme.cl>",
        "ana@acme.cl, eva@acme.cl",
        "a" * 65 + "@acme.cl",
        "a@" + "b" * 60 + "." + ("c" * 60 + ".") * 4 + "cl",
        "a" * 100_000,
        "ñandú@acme.cl",
        "a\ud800@acme.cl",
    ],
)
def test_what_is_no_email_is_refused(value: str) -> None:
    assert code(validators.email, value) == "EMAIL_INVALID"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  Ana   María\tPérez\n", "Ana María Pérez"),
        ("Jose\u0301", "José"),
        ("Ñ", "Ñ"),
        ("J.R.R. Tolkien", "J.R.R. Tolkien"),
        ("Ravi A/L Kumar", "Ravi A/L Kumar"),
        ("名前", "名前"),
        ("a" * 120, "a" * 120),
    ],
)
def test_a_name_is_trimmed_and_composed(value: str, expected: str) -> None:
    assert validators.full_name(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "TOO_SHORT"),
        ("   ", "TOO_SHORT"),
        ("\u200b\u200d", "TOO_SHORT"),
        ("a" * 121, "TOO_LONG"),
        ("a" * 1_000_000, "TOO_LONG"),
        ("Ana\x00", "TEXT_INVALID"),
        ("Ana\x1bPérez", "TEXT_INVALID"),
        ("Ana\ud83d", "TEXT_INVALID"),
        ("Ana\u202eoirotsap", "TEXT_INVALID"),
        ("Gana en www.premio.example", "NAME_INVALID"),
        ("http://premio.example", "NAME_INVALID"),
        ("mira premio.example/x", "NAME_INVALID"),
    ],
)
def test_what_is_no_name_is_refused(value: str, expected: str) -> None:
    assert code(validators.full_name, value) == expected


def test_text_keeps_its_lines_and_is_counted_in_characters() -> None:
    assert validators.text("  línea\n\tdos ", maximum=10) == "línea\n\tdos"
    assert validators.text("ñ" * 10, maximum=10) == "ñ" * 10
    assert code(validators.text, "ñ" * 11, maximum=10) == "TOO_LONG"
    assert code(validators.text, "ab", maximum=10, minimum=3) == "TOO_SHORT"
    assert validators.text("", maximum=10) == ""


@pytest.mark.parametrize(
    "value",
    ["correct horse battery staple", "mi gato duerme en la ventana", "zK4#vQ9!tLp2", "ñandú corre por la pampa" * 5],
)
def test_a_long_unguessable_password_is_accepted(value: str) -> None:
    assert validators.password(value) == value


def test_a_password_has_one_spelling() -> None:
    assert validators.password("contrasen\u0303a de mi gato") == validators.password("contraseña de mi gato")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "PASSWORD_TOO_SHORT"),
        ("zK4#vQ9!tLp", "PASSWORD_TOO_SHORT"),
        ("zK4#vQ9!tLp2" * 11, "PASSWORD_TOO_LONG"),
        ("x" * 1_000_000, "PASSWORD_TOO_LONG"),
        ("password1234", "PASSWORD_WEAK"),
        ("qwertyuiop123", "PASSWORD_WEAK"),
        ("aaaaaaaaaaaaaaaaaaaa", "PASSWORD_WEAK"),
        ("111111111111", "PASSWORD_WEAK"),
        ("good password\x00 zK4#vQ9", "TEXT_INVALID"),
        ("good password\ud800 zK4#vQ9", "TEXT_INVALID"),
    ],
)
def test_a_short_or_guessable_password_is_refused(value: str, expected: str) -> None:
    assert code(validators.password, value) == expected


def test_a_password_made_of_ones_own_data_is_refused() -> None:
    own = "wenceslao.quiñenao"
    assert validators.password(own) == own
    assert code(validators.password, own, user_inputs=["wenceslao.quiñenao@acme.cl"]) == "PASSWORD_WEAK"
    assert code(validators.password, own, user_inputs=["Wenceslao Quiñenao"]) == "PASSWORD_WEAK"


def test_a_password_made_to_keep_the_estimate_busy_is_judged_quickly() -> None:
    symbols = "4@8({[<369&#!1|0$5+72%"
    started = time.process_time()
    validators.password("a" * 16 + symbols * 5)
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("+56 9 8765 4321", "+56987654321"),
        ("9 8765 4321", "+56987654321"),
        ("(2) 2123-4567", "+56221234567"),
        ("+1 202 555 0143", "+12025550143"),
    ],
)
def test_a_phone_number_is_international(value: str, expected: str) -> None:
    assert validators.phone(value) == expected


@pytest.mark.parametrize("value", ["", "abc", "123", "+56 1", "+999 123456", "+56 9 8765 4321" + " " * 100 + "1"])
def test_what_is_no_phone_number_is_refused(value: str) -> None:
    assert code(validators.phone, value) == "PHONE_INVALID"


@pytest.mark.parametrize(
    "value",
    ["https://acme.cl", "https://acme.cl/foto.png?v=1#a", "https://acme.cl:8443/ñ", "https://" + "a" * 2040],
)
def test_an_https_address_is_accepted(value: str) -> None:
    assert validators.url(f" {value} ") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "acme.cl",
        "http://acme.cl",
        "javascript:alert(1)",
        "//acme.cl",
        "https://",
        "https:///path",
        "https://user:secret@acme.cl",
        "https://acme.cl:99999",
        "https://[::1",
        "https://acme.cl\\@evil.example",
        "https://acme.cl/a b",
        "https://acme.cl/\u0085x",
        "https://acme.cl/\ud800",
        "https://" + "a" * 2041,
    ],
)
def test_another_address_is_refused(value: str) -> None:
    assert code(validators.url, value) == "URL_INVALID"


def test_languages_and_time_zones_come_from_lists() -> None:
    assert [validators.locale(value) for value in ("es", "en")] == ["es", "en"]
    assert validators.time_zone("America/Santiago") == "America/Santiago"
    assert code(validators.locale, "fr") == "LOCALE_INVALID"
    assert code(validators.time_zone, "Santiago") == "TIME_ZONE_INVALID"
    assert code(validators.time_zone, "../../etc/passwd") == "TIME_ZONE_INVALID"


@pytest.mark.parametrize("name", sorted(ONE_VALUE))
@given(value=st.text(alphabet=st.characters(codec=None), max_size=400))
def test_any_text_is_refused_or_becomes_a_value_that_stays_as_it_is(name: str, value: str) -> None:
    validate = ONE_VALUE[name]
    try:
        accepted = validate(value)
    except InvalidValue:
        return
    assert validate(accepted) == accepted
    assert accepted.encode().decode() == accepted


def test_bad_fields_are_refused_together_with_their_paths_codes_and_values() -> None:
    check = Checks()
    assert check("input.email", validators.email, "Ana@Acme.cl") == "ana@acme.cl"
    check("input.nationalId", validators.rut, "12531909-3")
    check("input.bio", validators.text, "too long", maximum=3)
    check.note("input.token", "TOKEN_INVALID", "this link is not valid any more; ask for a new one")
    with pytest.raises(Invalid) as caught:
        check.done()
    assert [(problem.path, problem.code, problem.params) for problem in caught.value.fields] == [
        ("input.nationalId", "RUT_INVALID", {}),
        ("input.bio", "TOO_LONG", {"maximum": 3}),
        ("input.token", "TOKEN_INVALID", {}),
    ]


def test_good_fields_are_not_refused() -> None:
    check = Checks()
    check("input.locale", validators.locale, "es")
    check.done()
    assert check.problems == []


@pytest.mark.parametrize(
    ("validate", "value"),
    [
        (validators.email, "x"),
        (validators.full_name, ""),
        (validators.full_name, "www.x.cl"),
        (validators.full_name, "\x00"),
        (validators.full_name, "a" * 121),
        (validators.password, "short"),
        (validators.password, "x" * 129),
        (validators.password, "password1234"),
        (validators.rut, "1"),
        (validators.phone, "1"),
        (validators.locale, "fr"),
        (validators.time_zone, "x"),
        (validators.url, "x"),
        (validators.slug, "x"),
        (validators.slug, "www"),
    ],
)
def test_every_message_exists_in_spanish(validate: Callable[[str], str], value: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        validate(value)
    assert spanish()[caught.value.message] != caught.value.message


def test_every_public_validator_is_covered_by_the_test_of_any_text() -> None:
    public = {
        name
        for name, function in inspect.getmembers(validators, inspect.isfunction)
        if function.__module__ == validators.__name__ and not name.startswith("_")
    }
    assert public == {*ONE_VALUE, "line", "password"}

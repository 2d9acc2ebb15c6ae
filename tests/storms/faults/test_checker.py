"""The checker finds each kind of violation in a history made by hand, and nothing in good ones."""

from decimal import Decimal

import pytest

from tests.storms.faults.checker import violations
from tests.storms.faults.history import Attempt, Effects, Fate, History, Page, Sums, Value, Write

BOOK = "7"
D = Decimal
BEFORE = {BOOK: {"1": D(10), "2": D(-4)}}
OLD = [(BOOK, "1", D(10)), (BOOK, "2", D(-4))]


class Story(History):
    """A history in few words."""

    def wrote(
        self, value: Value | None, *fates: tuple[float, Fate, str], began: float = 1, tag: str = "3"
    ) -> None:
        effects: Effects = {BOOK: {tag: value}}
        self.writes.append(Write("a write", began, effects, [Attempt(*fate) for fate in fates]))

    def acknowledged(
        self, value: Value | None, began: float = 1, ended: float = 2, tag: str = "3"
    ) -> None:
        self.wrote(value, (ended, Fate.ACKNOWLEDGED, "id"), began=began, tag=tag)

    def lost(self, value: Value | None, began: float = 1, tag: str = "3") -> None:
        self.wrote(value, (began + 1, Fate.UNKNOWN, ""), began=began, tag=tag)

    def refused(self, value: Value | None) -> None:
        self.wrote(value, (2, Fate.REFUSED, ""))

    def page(self, began: float, ended: float, floor: str = "", **shown: Value) -> None:
        rows = {tag.strip("_"): value for tag, value in shown.items()}
        self.reads.append(Page(BOOK, "page", began, ended, rows, floor))

    def sums(self, began: float, ended: float, **shown: Value) -> None:
        self.reads.append(Sums(BOOK, "sums", began, ended, {k: D(v) for k, v in shown.items()}))


@pytest.fixture
def story() -> Story:
    return Story()


def found(story: Story, *new: tuple[str, Value], without: str = "") -> list[str]:
    after = [row for row in OLD if row[1] != without] + [(BOOK, *row) for row in new]
    return [text.partition(":")[0] for text in violations(BEFORE, story, after)]


def test_nothing_is_wrong_with_nothing(story: Story) -> None:
    assert found(story) == []


# --- what is stored ---


def test_an_acknowledged_write_must_be_stored(story: Story) -> None:
    story.acknowledged(D(5))

    assert found(story) == ["not stored"]
    assert found(story, ("3", D(5))) == []


def test_a_write_without_an_answer_may_be_stored_or_not(story: Story) -> None:
    story.lost(D(5))

    assert found(story) == found(story, ("3", D(5))) == []
    assert found(story, ("3", D(6))) == ["wrongly stored"]


def test_a_refused_write_and_one_that_nobody_sent_must_not_be_stored(story: Story) -> None:
    story.refused(D(5))

    assert found(story) == []
    assert found(story, ("3", D(5))) == ["wrongly stored"]
    assert found(story, ("4", D(5))) == ["wrongly stored"]


def test_a_write_is_stored_once_however_often_it_was_sent(story: Story) -> None:
    story.wrote(D(5), (2, Fate.UNKNOWN, ""), (3, Fate.ACKNOWLEDGED, "a"))

    assert found(story, ("3", D(5))) == []
    assert found(story, ("3", D(5)), ("3", D(5))) == ["stored twice"]


def test_all_answers_to_one_key_tell_the_same(story: Story) -> None:
    story.wrote(D(5), (2, Fate.ACKNOWLEDGED, "a"), (3, Fate.ACKNOWLEDGED, "b"))

    assert found(story, ("3", D(5))) == ["one key, several results"]


def test_what_was_there_stays_unless_it_was_deleted(story: Story) -> None:
    assert found(story, without="1") == ["not stored"]
    story.acknowledged(None, tag="1")
    assert found(story, without="1") == []
    assert found(story) == ["wrongly stored"]


def test_the_last_of_two_edits_counts(story: Story) -> None:
    story.acknowledged(D(6), 1, 2, tag="1")
    story.acknowledged(D(7), 3, 4, tag="1")

    assert found(story, ("1", D(7)), without="1") == []
    assert found(story, ("1", D(6)), without="1") == ["wrongly stored"]


def test_either_of_two_edits_at_once_may_be_the_last(story: Story) -> None:
    story.acknowledged(D(6), 1, 3, tag="1")
    story.acknowledged(D(7), 2, 4, tag="1")

    assert found(story, ("1", D(7)), without="1") == found(story, ("1", D(6)), without="1") == []
    assert found(story) == ["wrongly stored"]


def test_an_edit_without_an_answer_may_come_late(story: Story) -> None:
    story.lost(D(6), 1, tag="1")
    story.acknowledged(D(7), 3, 4, tag="1")

    assert found(story, ("1", D(7)), without="1") == found(story, ("1", D(6)), without="1") == []


# --- what is read ---

STALE = "page of 7 from 3.000 to 4.000, not read"
EARLY = "page of 7 from 3.000 to 4.000, wrongly read"


def test_a_page_must_show_what_was_acknowledged_before_it_began(story: Story) -> None:
    story.acknowledged(D(5))
    story.page(3, 4, _1=D(10), _2=D(-4))

    assert found(story, ("3", D(5))) == [STALE]


def test_a_page_may_show_a_write_that_is_under_way_or_not(story: Story) -> None:
    story.acknowledged(D(5), 1, 3.5)
    story.page(3, 4, _1=D(10), _2=D(-4))
    story.page(3, 4, _1=D(10), _2=D(-4), _3=D(5))

    assert found(story, ("3", D(5))) == []


def test_a_page_must_not_show_what_was_sent_later_or_deleted_before(story: Story) -> None:
    story.acknowledged(D(5), 5, 6)
    story.acknowledged(None, 1, 2, tag="1")
    story.page(3, 4, _1=D(10), _2=D(-4), _3=D(5))

    assert found(story, ("3", D(5)), without="1") == [EARLY, EARLY]


def test_a_page_must_show_the_latest_edit(story: Story) -> None:
    story.acknowledged(D(6), 1, 2, tag="1")
    story.page(3, 4, _1=D(10), _2=D(-4))

    assert found(story, ("1", D(6)), without="1") == [EARLY]


def test_a_page_must_show_what_nobody_wrote_to(story: Story) -> None:
    story.page(3, 4, _1=D(10))

    assert found(story) == [STALE]


def test_a_page_says_nothing_about_what_is_older_than_its_last_row(story: Story) -> None:
    story.acknowledged(D(5))
    story.page(3, 4, floor="2", _2=D(-4), _3=D(5))
    story.page(3, 4, floor="2", _2=D(-4))

    assert found(story, ("3", D(5))) == [STALE]


def test_a_retry_counts_from_its_first_acknowledgement(story: Story) -> None:
    story.wrote(D(5), (2, Fate.ACKNOWLEDGED, "a"), (9, Fate.ACKNOWLEDGED, "a"))
    story.page(3, 4, _1=D(10), _2=D(-4))

    assert found(story, ("3", D(5))) == [STALE]


@pytest.mark.parametrize(
    ("shown", "is_wrong"),
    [
        ({"count": 3, "credit": 15, "debit": 4, "balance": 11}, False),
        ({"count": 2, "credit": 10, "debit": 4, "balance": 6}, True),
        ({"count": 4}, True),
        ({"credit": 16}, True),
        ({"debit": 3}, True),
        ({"balance": 16}, True),
    ],
)
def test_sums_must_include_what_was_acknowledged(
    story: Story, shown: dict[str, Value], is_wrong: bool
) -> None:
    story.acknowledged(D(5))
    story.sums(3, 4, **shown)

    assert bool(found(story, ("3", D(5)))) is is_wrong


def test_sums_may_include_a_write_without_an_answer_if_it_was_done(story: Story) -> None:
    story.lost(D(5))
    story.sums(3, 4, count="2")
    story.sums(3, 4, count="3")
    wrong = "sums of 7 from 3.000 to 4.000, stale or wrong"

    assert found(story, ("3", D(5))) == []
    assert found(story) == [wrong]
    story.sums(3, 4, count="4")
    assert found(story, ("3", D(5))) == [wrong]


def test_a_page_must_not_show_what_was_never_done(story: Story) -> None:
    story.lost(D(5))
    story.page(3, 4, _1=D(10), _2=D(-4), _3=D(5))

    assert found(story) == [EARLY]


def test_a_write_of_several_values_is_done_as_a_whole(story: Story) -> None:
    effects: Effects = {BOOK: {"3": D(5), "4": D(6)}}
    story.writes.append(Write("a bulk", 1, effects, [Attempt(2, Fate.UNKNOWN)]))

    assert found(story) == found(story, ("3", D(5)), ("4", D(6))) == []
    assert found(story, ("3", D(5))) == ["half done"]


def test_what_no_answer_may_be_is_a_violation(story: Story) -> None:
    story.complain("500")

    assert found(story) == ["500"]

"""Ids made many at once, and the ids between two of them."""

import pytest

from fido.lib.values.ids import BLOCK_SIZE, Block, new_id, ranges


def test_ids_of_a_block_are_of_version_7_in_order_and_after_what_was_made_before() -> None:
    before, block = new_id(), Block()

    ids = [block.id(number) for number in (0, 1, BLOCK_SIZE - 1)]

    assert {each.version for each in ids} == {7}
    assert [before, *ids] == sorted([before, *ids])
    with pytest.raises(ValueError, match="no such number"):
        block.id(BLOCK_SIZE)


def test_what_is_made_one_by_one_lies_in_no_block() -> None:
    blocks = [Block() for _ in range(100)]
    ids = [new_id() for _ in range(10_000)]

    assert not any(b.id(0) <= each <= b.id(BLOCK_SIZE - 1) for each in ids for b in blocks)
    assert len(ranges(ids)) == len(ids)


def test_a_block_with_gaps_is_one_range() -> None:
    block, single = Block(), new_id()

    found = ranges([block.id(7), single, block.id(2), block.id(5)])

    assert sorted(found) == sorted([(block.id(2), block.id(7)), (single, single)])

from fido.lib.values.memory import Memory


def test_it_is_bounded() -> None:
    memory = Memory[int, str](3)
    for number in range(10):
        memory.put(number, str(number))

    assert [number for number in range(10) if memory.get(number)] == [7, 8, 9]

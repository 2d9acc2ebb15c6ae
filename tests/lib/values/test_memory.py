from concurrent.futures import ThreadPoolExecutor

from fido.lib.values.memory import Memory


def test_it_is_bounded() -> None:
    memory = Memory[int, str](3)
    for number in range(10):
        memory.put(number, str(number))

    assert [number for number in range(10) if memory.get(number)] == [7, 8, 9]


def test_many_threads_may_put_at_once() -> None:
    memory = Memory[int, int](2)

    def put_many(first: int) -> None:
        for number in range(first, first + 20_000):
            memory.put(number, number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put_many, range(0, 80_000, 20_000)))

    assert sum(memory.get(number) is not None for number in range(80_000)) == 2

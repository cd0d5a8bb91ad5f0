import pytest

from chatbot.web.conversation import Conversation
from providerconf import clients, save_client


@pytest.mark.parametrize("error", [None, RuntimeError("the view failed")])
def test_a_client_counts_as_long_as_its_block_lasts(error: Exception | None) -> None:
    everybody = clients()
    one, other = (Conversation.__new__(Conversation) for _ in range(2))
    save = save_client(everybody)

    def visit() -> None:
        with save(one):
            assert everybody == {one, other}
            if error:
                raise error

    with save(other):
        if error:
            with pytest.raises(RuntimeError, match="the view failed"):
                visit()
        else:
            visit()
        assert everybody == {other}
    assert everybody == set()

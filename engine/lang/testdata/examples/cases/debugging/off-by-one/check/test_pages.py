from pages import page


def test_page():
    assert page([1, 2, 3], 0, 2) == [1, 2]

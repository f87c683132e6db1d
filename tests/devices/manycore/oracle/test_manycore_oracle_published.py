"""Published loads of SpiNNaker cores beside ours: what ran in real time does, what was aimed at does not."""

import pytest
from published import compared


def test_loads_of_spinnaker_cores() -> None:
    fitted, aim, board = compared(["spinnaker_load"])
    assert fitted.role == "fitted"
    assert fitted.deviation == pytest.approx(0.0)
    assert (aim.role, board.role) == ("other", "other")
    assert aim.ours == pytest.approx(1000 * 1e3 * 0.32e-6 + 1e7 * 0.2e-6)  # 0.32 ms of neurons and 2 ms of synapses
    assert board.ours == pytest.approx((250e6 * 0.32e-6 + 1.8e9 * 0.2e-6) / (48 * 17))
    assert board.ours < 1 < aim.ours

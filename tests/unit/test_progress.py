from __future__ import annotations

from ansible_collections.gpufleet.nvidia.plugins.callback.progress import progress_line


def test_a_line_names_host_task_and_time():
    line = progress_line("nvidia_driver : install | Install, build and hold the driver", ["gpu1"], 95)
    assert line.strip() == "… gpu1: nvidia_driver : install | Install, build and hold the driver, 1 min 35 s"


def test_many_hosts_are_counted_after_the_first_few():
    line = progress_line("Reboot", [f"gpu{number}" for number in range(1, 9)], 15)
    assert "gpu1, gpu2, gpu3 and 5 more" in line
    assert line.endswith("15 s")

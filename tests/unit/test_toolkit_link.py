"""/usr/local/cuda among several toolkits, on a host whose update-alternatives is a small model of the real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _toolkit_link
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError
from tests.unit.fake_system import FakeSystem

OLD, NEW = "/usr/local/cuda-11.8", "/usr/local/cuda-12.6"
CHOICES = [{"path": NEW, "priority": 126}, {"path": OLD, "priority": 118}]
WANT = {"state": "present", "path": NEW, "choices": CHOICES, "link": "/usr/local/cuda", "name": "cuda"}
BOOK = "/var/lib/dpkg/alternatives/cuda"


class Host(FakeSystem):
    """choices: {path: priority}; value: what the alternative means."""

    def __init__(self, choices=(), value=None, links=None, files=None):
        super().__init__(files, links, {("update-alternatives",): self.alternatives})
        self.choices = dict(choices)
        if value:
            self.links = {"/usr/local/cuda": "/etc/alternatives/cuda", "/etc/alternatives/cuda": value, **self.links}
        self.keep()

    def keep(self):
        if self.choices:
            rows = "".join(f"{path}\n{number}\n" for path, number in self.choices.items())
            self.files[BOOK] = f"auto\n/usr/local/cuda\n\n{rows}\n"
        else:
            self.files.pop(BOOK, None)

    def alternatives(self, argv):
        words = [word for word in argv[1:] if word != "--force"]
        if words[0] == "--install":
            self.choices[words[3]] = int(words[4])
            self.links["/usr/local/cuda"] = "/etc/alternatives/cuda"
            self.links.setdefault("/etc/alternatives/cuda", words[3])
        elif words[0] == "--set":
            self.links["/etc/alternatives/cuda"] = words[2]
        elif words[0] == "--remove":
            self.choices.pop(words[2])
            left = max(self.choices, key=lambda path: self.choices[path]) if self.choices else None
            self.links.update({"/etc/alternatives/cuda": left} if left else {})
            if not left:
                self.links = {}
        self.keep()
        return ""


@pytest.mark.parametrize(
    ("host", "steps"),
    [
        (Host, 3),
        (lambda: Host(links={"/usr/local/cuda": OLD}), 3),
        (lambda: Host({NEW: 126, OLD: 118}, NEW), 0),
        (lambda: Host({NEW: 126, OLD: 118}, OLD), 1),
        (lambda: Host({NEW: 126}, NEW), 1),
        (lambda: Host({NEW: 126, OLD: 118, "/usr/local/cuda-13.0": 130}, "/usr/local/cuda-13.0"), 1),
        (lambda: Host({NEW: 126, OLD: 118}, links={"/usr/local/cuda": NEW}), 2),
    ],
)
def test_the_link_means_what_it_shall_and_a_second_run_is_idle(host, steps):
    machine = host()
    predicted = _toolkit_link.ensure(WANT, machine, apply=False)
    assert (len(predicted["steps"]), machine.ran) == (steps, [])
    done = _toolkit_link.ensure(WANT, machine, apply=True)
    assert done["diff"] == predicted["diff"]
    assert (machine.real("/usr/local/cuda"), done["path"]) == (NEW, NEW)
    again = _toolkit_link.ensure(WANT, machine, apply=True)
    assert (again["changed"], again["diff"]["before"]) == (False, again["diff"]["after"])


def test_absent_takes_the_choices_away():
    machine = Host({NEW: 126, OLD: 118}, NEW)
    params = {**WANT, "state": "absent", "path": None, "choices": []}
    predicted = _toolkit_link.ensure(params, machine, apply=False)
    done = _toolkit_link.ensure(params, machine, apply=True)
    assert (done["diff"], done["path"], machine.choices) == (predicted["diff"], None, {})
    assert not _toolkit_link.ensure(params, machine, apply=True)["changed"]


def test_a_real_folder_is_not_touched():
    host = Host(files={"/usr/local/cuda/bin/nvcc": ""})
    with pytest.raises(NvidiaError, match="is a folder or a file and not a link"):
        _toolkit_link.ensure(WANT, host, apply=True)
    assert host.ran == []


def test_the_path_must_be_among_the_choices():
    with pytest.raises(NvidiaError, match="none of the choices"):
        _toolkit_link.ensure({**WANT, "choices": []}, Host(), apply=True)


def test_slaves_are_skipped_in_the_book():
    text = "manual\n/usr/local/cuda\ncuda-man\n/usr/share/man/x\n\n/a\n10\n/a/man\n/b\n20\n/b/man\n\n"
    assert _toolkit_link.parse_admin(text) == {"/a": 10, "/b": 20}


@given(st.text())
def test_any_book_is_read_without_falling(text):
    assert all(path.startswith("/") for path in _toolkit_link.parse_admin(text))

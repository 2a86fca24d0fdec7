"""The lines that tell why an installer failed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_kept import parse
from ansible_collections.gpufleet.nvidia.plugins.module_utils._runfile_log import advice, decisive, explain

HEAD = """nvidia-installer log file '/var/log/nvidia-installer.log'
creation time: Tue Jan 30 15:45:55 2024
installer version: 530.30.02

nvidia-installer command line:
    ./nvidia-installer
    --silent

Using built-in stream user interface
-> Detected 24 CPUs online; setting concurrency level to 24.
"""
HOLLOW = "ERROR: Installation has failed.  Please see the file '/var/log/nvidia-installer.log' for details.\n"
X_SERVER = "ERROR: You appear to be running an X server; please exit X before installing.\n"
NOUVEAU = "WARNING: The Nouveau kernel driver is currently in use by your system.  This driver is incompatible\n"
CUDA = """[INFO]: Driver not installed.
[INFO]: gcc location: /usr/bin/gcc
[ERROR]: boost::filesystem::copy_file: No space left on device: "./builds/x", "/usr/local/cuda-12.6/x"
"""


def test_the_installer_s_reason_is_found_and_its_boilerplate_is_not():
    assert decisive(HEAD + X_SERVER + HOLLOW) == [X_SERVER.strip()]
    assert "x_check" in advice(X_SERVER)


def test_a_warning_is_the_reason_where_no_error_gives_one():
    assert decisive(HEAD + NOUVEAU + HOLLOW) == [NOUVEAU.strip()]
    assert decisive(HEAD + NOUVEAU + X_SERVER + HOLLOW) == [X_SERVER.strip()]


def test_a_paragraph_is_read_to_its_end():
    wrapped = "ERROR: Unable to find the kernel\n       source tree for the\n       running kernel.\n\n-> done\n"
    assert decisive(wrapped) == ["ERROR: Unable to find the kernel source tree for the running kernel."]


def test_the_compiler_s_errors_come_first():
    text = HEAD + "/tmp/x/nv.c:10:2: error: implicit declaration of function\nmake: *** [Makefile:1] Error 2\n"
    lines = decisive(text + 'ERROR: An error occurred while performing the step: "Building kernel modules".\n')
    assert "implicit declaration" in lines[0] and lines[-1].startswith("ERROR: An error occurred")


def test_cuda_s_log_is_read_as_well():
    assert decisive(CUDA) == [CUDA.splitlines()[-1]]


def test_without_a_log_the_output_speaks():
    assert "sh: cannot unpack" in explain(None, "/var/log/x.log", "sh: cannot unpack\n")
    assert explain(None, "/var/log/x.log", "") == "It said nothing and wrote no log."


@given(st.text(max_size=400))
def test_any_log_can_be_read(text):
    lines = decisive(text)
    assert len(lines) <= 20
    assert isinstance(explain(text, "/var/log/x.log", text), str)


@given(
    st.text(max_size=60) | st.sampled_from(["[]", '{"driver": 1, "toolkits": [], "begun": {}}', '{"begun": [1, "/x"]}'])
)
def test_any_record_can_be_read(text):
    record = parse(text)
    assert record.driver is None and isinstance(record.toolkits, dict)
    assert all(isinstance(path, str) for path in record.begun)

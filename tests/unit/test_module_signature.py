"""NVIDIA's modules are signed where that helps, left where it would not, and never half written."""

from __future__ import annotations

import gzip
import json
import lzma
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpufleet.nvidia.plugins.module_utils import _efi_variables as efi
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_sign as tool
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_signature as modules
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _module_signature_check as check
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _mok as mok
from ansible_collections.gpufleet.nvidia.plugins.module_utils import _signature as signature
from ansible_collections.gpufleet.nvidia.plugins.module_utils._certificate import read as read_certificate
from ansible_collections.gpufleet.nvidia.plugins.module_utils._mok_modules import Known
from ansible_collections.gpufleet.nvidia.plugins.module_utils._system import NvidiaError, Result
from ansible_collections.gpufleet.nvidia.plugins.modules.module_signature import ARGUMENT_SPEC
from tests.unit import test_mok_key as keys
from tests.unit.fake_system import FakeSystem
from tests.unit.mok_hosts import DKMS, FOLDER, KERNEL, SIGNED_BY_DEBIAN, SIGNED_BY_DKMS, signature_list
from tests.unit.mok_machine import enrolled_list, everything, machine, needs_openssl, put, take
from tests.unit.rooted_system import PowerCut
from tests.unit.signed_modules import piped, sign_file_stand_in, signed

KEY, FILE = ARGUMENT_SPEC["private_key"]["default"], ARGUMENT_SPEC["certificate"]["default"]
SIGN_FILE = f"/lib/modules/{KERNEL}/build/scripts/sign-file"
MAIN, MODESET = f"{FOLDER}/nvidia-current.ko", f"{FOLDER}/nvidia-current-modeset.ko"
PLAIN = b"module" * 1000
needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")


def call(system, *, apply=True, **options):
    params = {name: spec.get("default") for name, spec in ARGUMENT_SPEC.items()}
    return modules.ensure({**params, **options}, system, apply=apply)


@pytest.fixture
def system(tmp_path):
    found = machine(tmp_path)
    found.programs["sign-file"] = sign_file_stand_in
    found.programs["kmodsign"] = None
    found.programs["depmod"] = lambda *_arguments: Result(0, "", "")
    put(found, SIGN_FILE, "")
    put(found, f"/boot/vmlinuz-{KERNEL}", "")
    put(found, f"/lib/modules/{KERNEL}/modules.dep", f"{MAIN[len(f'/lib/modules/{KERNEL}/') :]}:\n")
    keys.call(found)
    return found


def certificate_of(system):
    return system.read_bytes(FILE)


@needs_openssl
def test_unsigned_modules_are_signed_once_and_check_mode_says_the_same(system):
    put(system, MAIN, PLAIN)
    checked = call(system, apply=False)
    assert system.read_bytes(MAIN) == PLAIN and checked["signed"] == [MAIN]
    done = call(system)
    assert done == checked and done["kernels"] == [KERNEL]
    assert done["diff"]["before"] == {MAIN: "unsigned"}
    assert "kernel module signing key" in done["diff"]["after"][MAIN]
    data = system.read_bytes(MAIN)
    assert data.startswith(PLAIN) and check.is_good(data, certificate_of(system))
    again = call(system)
    assert not again["changed"] and again["modules"][0]["action"] == "keep"
    assert system.read_bytes(MAIN) == data and system.entries(tool.WORK) == []
    assert not any(words[0].endswith("depmod") for words in system.argv)


def packers():
    yield pytest.param(".xz", lzma.compress, lzma.decompress, id="xz")
    yield pytest.param(".gz", gzip.compress, gzip.decompress, id="gz")
    yield pytest.param(
        ".zst",
        lambda data: piped(["zstd", "-q"], data),
        lambda data: piped(["zstd", "-dq"], data),
        id="zstd",
        marks=needs_zstd,
    )


@needs_openssl
@pytest.mark.parametrize(("ending", "pack", "unpack"), list(packers()))
def test_a_compressed_module_is_signed_inside(system, ending, pack, unpack):
    put(system, f"{MAIN}{ending}", pack(PLAIN))
    assert call(system)["signed"] == [f"{MAIN}{ending}"]
    data = unpack(system.read_bytes(f"{MAIN}{ending}"))
    assert data.startswith(PLAIN) and check.is_good(data, certificate_of(system))
    assert not call(system)["changed"]


@needs_openssl
def test_an_xz_module_is_packed_as_the_kernel_can_unpack_it(system):
    put(system, f"{MAIN}.xz", lzma.compress(PLAIN))
    call(system)
    packed = lzma.LZMADecompressor()
    packed.decompress(system.read_bytes(f"{MAIN}.xz"))
    assert packed.check == lzma.CHECK_CRC32


@needs_openssl
def test_every_part_is_signed_and_the_kernel_s_own_is_not_touched(system):
    for path in (MAIN, MODESET, f"{FOLDER}/nvidia-current-vgpu-vfio.ko", f"{FOLDER}/other.ko"):
        put(system, path, PLAIN)
    result = call(system)
    assert result["signed"] == [MODESET, f"{FOLDER}/nvidia-current-vgpu-vfio.ko", MAIN]
    assert system.read_bytes(f"{FOLDER}/other.ko") == PLAIN


@needs_openssl
def test_a_module_that_was_changed_after_it_was_signed_is_signed_anew(system):
    put(system, MAIN, PLAIN)
    call(system)
    put(system, MAIN, b"X" + system.read_bytes(MAIN)[1:])
    result = call(system)
    assert "does not match its content" in result["steps"][0]
    assert check.is_good(system.read_bytes(MAIN), certificate_of(system))


@needs_openssl
def test_another_signature_is_taken_off_first(system):
    put(system, MAIN, SIGNED_BY_DKMS)
    result = call(system)
    assert result["diff"]["before"][MAIN].startswith("signed by DKMS module signing key (57221b2e")
    data = system.read_bytes(MAIN)
    assert signature.split(data)[0] == b"module" and check.is_good(data, certificate_of(system))


@needs_openssl
def test_a_trusted_signature_is_left_until_this_key_is_trusted_too(system):
    put(system, MAIN, SIGNED_BY_DKMS)
    put(system, efi.path("MokListRT"), enrolled_list(DKMS))
    text = system.read("/proc/keys")
    put(system, "/proc/keys", "")  # hidden: what the firmware has enrolled counts
    kept = call(system)
    assert not kept["changed"] and kept["modules"][0]["action"] == "leave" and "not enrolled yet" in str(kept)
    put(system, efi.path("MokListRT"), enrolled_list(DKMS, certificate_of(system)))
    assert call(system)["signed"] == [MAIN]
    assert text


@needs_openssl
def test_the_kernel_s_own_signature_is_left_unless_that_is_said(system):
    put(system, MAIN, SIGNED_BY_DEBIAN)
    put(system, f"/lib/modules/{KERNEL}/modules.dep", "kernel/a.ko:\nkernel/b.ko:\n")
    put(system, f"/lib/modules/{KERNEL}/kernel/a.ko", SIGNED_BY_DEBIAN)
    for replace in ("auto", "never"):
        assert not call(system, replace=replace)["changed"]
    result = call(system, replace="always")
    assert result["signed"] == [MAIN] and result["steps"][-1] == f"Have depmod list the modules of {KERNEL}"


OURS = {**mok.described(read_certificate(DKMS)), "sha1": "ours", "serial": "01", "issuer_name": "ours"}
ROW = {"kernel": KERNEL, "file": MAIN, "signed": True, "good": False, "signer": "them", "serial": "02", "key_id": None}
NOBODY, KNOWN = Known([], [], None, KERNEL), Known([OURS], [], None, KERNEL)


@pytest.mark.parametrize(
    ("changes", "known", "actions"),
    [  # auto, always, never
        ({"signed": False}, NOBODY, ("sign", "sign", "sign")),
        ({"good": True, "signer": "ours", "serial": "01"}, NOBODY, ("keep", "keep", "keep")),
        ({"signer": "ours", "serial": "01"}, NOBODY, ("sign", "sign", "sign")),
        ({"trusted": True, "trusted_by": "builtin"}, KNOWN, ("leave", "sign", "leave")),
        ({"trusted": True, "trusted_by": "mok"}, NOBODY, ("leave", "sign", "leave")),
        ({"trusted": True, "trusted_by": "db"}, KNOWN, ("sign", "sign", "leave")),
        ({"trusted": False, "trusted_by": None}, NOBODY, ("sign", "sign", "leave")),
        ({"trusted": False, "trusted_by": "pending"}, NOBODY, ("sign", "sign", "leave")),
        ({"trusted": None, "trusted_by": None, "signer": None, "serial": None}, NOBODY, ("sign", "sign", "leave")),
    ],
)
def test_which_signatures_are_replaced(changes, known, actions):
    row = {**ROW, "trusted": False, "trusted_by": None, **changes}
    found = tuple(modules.decide(row, OURS, known, replace).action for replace in ("auto", "always", "never"))
    assert found == actions


@needs_openssl
def test_a_key_that_the_kernel_has_not_taken_does_not_count(system):
    known = Known([OURS], [], {"builtin": [], "secondary": [], "machine": [], "platform": []}, KERNEL)
    assert modules.decide({**ROW, "trusted": True, "trusted_by": "mok"}, OURS, known, "auto").action == "leave"


@needs_openssl
@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512", "sha1"])
def test_a_signature_is_checked_as_the_kernel_does(system, digest):
    data = signed(system, KEY, FILE, PLAIN, digest)
    assert check.is_good(data, certificate_of(system))
    assert not check.is_good(b"x" + data, certificate_of(system))
    assert not check.is_good(data, DKMS)
    assert not check.is_good(PLAIN, certificate_of(system))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_signature_that_is_not_good(message):
    data = PLAIN + message + signature.TRAILER.pack(0, 0, 2, 0, 0, len(message)) + b"~Module signature appended~\n"
    assert not check.is_good(data, DKMS)


@needs_openssl
def test_the_digest_is_the_one_that_the_kernel_was_built_for(system):
    put(system, MAIN, PLAIN)
    put(system, f"/boot/config-{KERNEL}", 'CONFIG_MODULE_SIG_HASH="sha512"\n')
    call(system)
    assert signature.parse(system.read_bytes(MAIN))["hash"] == "sha512"


@pytest.mark.parametrize(
    ("files", "which", "expected"),
    [
        ({SIGN_FILE: ""}, [SIGN_FILE], SIGN_FILE),
        ({"/usr/src/kernels/5.14/scripts/sign-file": ""}, ["x"], "/usr/src/kernels/5.14/scripts/sign-file"),
        ({"/usr/lib/linux-kbuild-6.1/scripts/sign-file": ""}, ["x"], "/usr/lib/linux-kbuild-6.1/scripts/sign-file"),
        ({}, ["kmodsign"], "/usr/bin/kmodsign"),
    ],
)
def test_the_tool_is_found_where_distributions_keep_it(files, which, expected):
    assert tool.find_tool(FakeSystem(files, which=[*which, *files]), KERNEL) == expected


def test_without_a_tool_the_packages_are_named():
    with pytest.raises(NvidiaError, match=r"no scripts/sign-file.*kernel-devel.*sbsigntool"):
        tool.find_tool(FakeSystem(), KERNEL)


@needs_openssl
@pytest.mark.parametrize(
    ("gone", "options", "sentence"),
    [
        ([KEY], {}, f"{KEY} is not on this host"),
        ([FILE], {}, f"{FILE} is not on this host"),
        ([SIGN_FILE], {}, "Install the kernel's headers"),
        ([], {"kernels": ["9.9.9"]}, r"no NVIDIA module for the kernel 9\.9\.9 \(kernels that have some: 6\.12"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_signed(system, gone, options, sentence):
    put(system, MAIN, PLAIN)
    for path in gone:
        take(system, path)
    for apply in (False, True):
        with pytest.raises(NvidiaError, match=sentence):
            call(system, apply=apply, **options)
    assert system.read_bytes(MAIN) == PLAIN


@needs_openssl
def test_a_host_without_modules_needs_nothing(system):
    result = call(system)
    assert (result["changed"], result["modules"]) == (False, [])


@needs_openssl
@pytest.mark.parametrize(
    "program", [lambda *_words: Result(1, "", "sign-file: broken"), lambda *_words: Result(0, "", "")]
)
def test_a_module_that_the_tool_did_not_sign_stays_as_it_was(system, program):
    put(system, MAIN, SIGNED_BY_DKMS)
    system.programs["sign-file"] = program
    with pytest.raises(NvidiaError, match="was not signed and is as it was"):
        call(system)
    assert system.read_bytes(MAIN) == SIGNED_BY_DKMS and system.entries(tool.WORK) == []


@needs_openssl
@pytest.mark.parametrize("cut", range(4))
def test_whenever_the_power_goes_the_module_is_the_old_or_the_new_one(system, cut):
    put(system, f"{MAIN}.xz", lzma.compress(SIGNED_BY_DKMS))
    system.changes_left = cut
    with pytest.raises(PowerCut):
        call(system)
    system.changes_left = None
    data = lzma.decompress(system.read_bytes(f"{MAIN}.xz"))
    assert data == SIGNED_BY_DKMS or check.is_good(data, certificate_of(system))
    call(system)
    assert not call(system)["changed"]


@needs_openssl
def test_a_damaged_module_is_told(system):
    put(system, f"{MAIN}.xz", b"no xz")
    with pytest.raises(NvidiaError, match="cannot be read, or is damaged"):
        call(system)


@needs_openssl
def test_nothing_of_the_private_key_is_shown(system):
    put(system, MAIN, PLAIN)
    result = call(system)
    secrets = [line for line in system.read(KEY).splitlines() if len(line) > 40]
    shown = everything(system) + json.dumps(result)
    assert secrets and not any(line in shown for line in secrets)


def test_the_lists_of_the_firmware_are_read_for_the_decision(tmp_path):
    system = machine(tmp_path, MokNew=signature_list(DKMS))
    known = modules.observe_keys(system)
    assert [row["sha1"] for row in known.pending] == [read_certificate(DKMS).sha1] and len(known.enrolled) > 1

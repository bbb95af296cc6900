"""Runs protoc-gen-degu over bad/*.proto: each must be refused with the faults its EXPECT lines name, all at once."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def run(protoc: str, plugin: str, proto: pathlib.Path, out: str) -> tuple[int, str]:
    result = subprocess.run(
        [protoc, f"-I{proto.parent}", f"-I{HERE.parent / 'include'}", f"--plugin=protoc-gen-degu={plugin}",
         f"--degu_out={out}", proto.name],
        capture_output=True, text=True, check=False)
    return result.returncode, result.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protoc", required=True)
    parser.add_argument("--plugin", required=True)
    arguments = parser.parse_args()
    failures = 0
    protos = sorted((HERE / "bad").glob("*.proto"))
    for proto in protos:
        expected = [line.split("EXPECT:", 1)[1].strip() for line in proto.read_text().splitlines() if "EXPECT:" in line]
        with tempfile.TemporaryDirectory() as out:
            code, said = run(arguments.protoc, arguments.plugin, proto, out)
            left = list(pathlib.Path(out).iterdir())
        faults = [] if code != 0 else ["was accepted"]
        faults += [f"left {path.name}" for path in left]
        faults += [f"did not say: {text}" for text in expected if text not in said]
        faults += ["expects nothing"] if not expected else []
        for fault in faults:
            print(f"{proto.name}: {fault}\n{said}")
        failures += bool(faults)
    print(f"{len(protos) - failures} of {len(protos)} refused as they should be")
    return 1 if failures or not protos else 0


if __name__ == "__main__":
    sys.exit(main())

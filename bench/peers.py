"""Builds the twins of other runtimes, where their Debian packages are installed (tools/setup/install.sh peers)."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CARGO_REGISTRY = "/usr/share/cargo/registry"  # where Debian's librust packages put their sources


def boost_fiber(folder, names):
    """{program: path}; {} without Boost.Fiber."""
    if not os.path.exists("/usr/include/boost/fiber/all.hpp"):
        return {}
    paths = {}
    for name in names:
        source = os.path.join(HERE, "boost_fiber", name + ".cc")
        if os.path.exists(source):
            paths[name] = os.path.join(folder, "boost_fiber_" + name)
            subprocess.run(["g++", "-O2", "-std=c++20", "-DNDEBUG", "-o", paths[name], source,
                            "-lboost_fiber", "-lboost_context", "-lfmt", "-pthread"], check=True)
    return paths


def tokio(folder, names):
    """{program: path}; {} without Tokio."""
    cargo = shutil.which("cargo")
    if cargo is None or not os.path.isdir(CARGO_REGISTRY):
        return {}
    target = os.path.join(os.path.abspath(folder), "tokio")
    command = [cargo, "build", "--release", "--offline", "--quiet", "--target-dir", target,
               "--config", f'source.debian.directory="{CARGO_REGISTRY}"',
               "--config", 'source.crates-io.replace-with="debian"']
    work = os.path.join(target, "source")  # cargo writes its lock file beside the manifest
    shutil.copytree(os.path.join(HERE, "tokio"), work, dirs_exist_ok=True)
    if subprocess.run(command, cwd=work).returncode != 0:
        return {}
    paths = {name: os.path.join(target, "release", name) for name in names}
    return {name: path for name, path in paths.items() if os.path.exists(path)}


def build(build_folder, names):
    """{peer: {program: path}}; a peer that cannot be built is left out, with a note."""
    folder = os.path.join(build_folder, "bench")
    found = {}
    for peer, make in {"boost.fiber": boost_fiber, "tokio": tokio}.items():
        found[peer] = make(folder, names)
        if not found[peer]:
            print(f"bench: no {peer} here; run tools/setup/install.sh peers", file=sys.stderr)
            del found[peer]
    return found


def caption(names):
    """What one has to know to compare with these peers."""
    known = {"boost.fiber": "Boost.Fiber runs on one thread (bench/boost_fiber/fibers.h says why).",
             "tokio": "Tokio's tasks have no stack."}
    return "".join(" " + known[name] for name in names)

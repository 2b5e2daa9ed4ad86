"""A python3 of any age -> .venv with every locked package, or one sentence that names what is missing.

Runs before anything is installed and on any Python 3, so that an old one is told so instead of failing on syntax.
"""

import os
import subprocess
import sys

OLDEST = (3, 11)
FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = os.path.join(FOLDER, ".venv")
PYTHON = os.path.join(ENVIRONMENT, "bin", "python")
LOG = os.path.join(ENVIRONMENT, "install.log")

NO_NETWORK = (
    "name resolution",
    "NewConnectionError",
    "Network is unreachable",
    "ConnectTimeout",
    "ReadTimeout",
    "Connection refused",
    "ProxyError",
    "No matching distribution found",
)


def stop(sentence):
    sys.stderr.write("\nset-up stopped: %s\n" % sentence)
    sys.exit(1)


def check_python():
    if sys.version_info[:2] < OLDEST:
        stop(
            "this is Python %d.%d, and Cleanroom needs Python %d.%d or newer. Install one, or name one that is there: "
            "make setup PYTHON=python3.12" % (sys.version_info[:2] + OLDEST)
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(
            "this Python cannot make virtual environments (the modules venv and ensurepip are missing). On Debian and "
            "Ubuntu: apt install python3-venv"
        )


def make_environment():
    wanted = "%d.%d" % sys.version_info[:2]
    if answer("import sys; print('%d.%d' % sys.version_info[:2])") != wanted:
        print("Making .venv with Python %s" % wanted)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", ENVIRONMENT]) != 0:
            stop("the virtual environment could not be made in %s; the lines above say why" % ENVIRONMENT)
        return
    has_pip = answer("import pip; print(pip.__name__)") == "pip"
    if not has_pip and subprocess.call([PYTHON, "-m", "ensurepip"], stdout=subprocess.DEVNULL) != 0:
        stop("there is no pip in %s, and it could not be put there; remove the folder and try again" % ENVIRONMENT)


def answer(code):
    """What the environment's Python prints for the code; nothing where there is none that works."""
    try:
        return subprocess.check_output([PYTHON, "-c", code], stderr=subprocess.DEVNULL).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def pip(what, *arguments):
    print(what)
    sys.stdout.flush()
    command = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"] + list(arguments)
    elsewhere = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "PYTHONHOME")  # would install beside .venv
    variables = {name: value for name, value in os.environ.items() if name not in elsewhere}
    with open(LOG, "a") as log:
        done = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT, cwd=FOLDER, env=variables)
    if done != 0:
        explain()


def explain():
    with open(LOG) as log:
        text = log.read()
    if "DO NOT MATCH THE HASHES" in text:
        stop("a package that was fetched is not the one in requirements/lock.txt, and was not installed. See %s" % LOG)
    if "No space left on device" in text:
        stop("the disk is full; the packages need about 500 MB")
    if any(sign in text for sign in NO_NETWORK):
        stop("the package index could not be reached: is there a network, and does pip need a proxy? See %s" % LOG)
    sys.stderr.write("\n".join(text.splitlines()[-15:]) + "\n")
    stop("pip failed; the whole of its output is in %s" % LOG)


def main():
    check_python()
    make_environment()
    if os.path.exists(LOG):
        os.remove(LOG)
    pip(
        "Installing the locked packages (half a minute, about 500 MB)",
        "--require-hashes",
        "-r",
        "requirements/lock.txt",
    )
    pip("Installing cleanroom itself", "--no-build-isolation", "--editable", ".")


if __name__ == "__main__":
    main()

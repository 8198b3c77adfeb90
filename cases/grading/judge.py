"""Grade a candidate without ever trusting it.

A check runs as root in a fresh container without a network. It is handed the
snapshot of what the agent left, and must decide without letting the agent's
code decide for it. So the judge, this process, never imports that code. It
runs it as an unprivileged user in processes of its own, asks them for values,
and compares the values here:

    import os, sys
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from judge import Judge

    with Judge() as judge:
        lora = judge.deliver("lora.py")
        got = judge.probe(lora, "probes.py", "forward", rank=4, alpha=2.0)
        judge.expect("forward adds alpha/rank * B A x", close(got["y"], want))
        judge.metric("max_error", error, description="worst absolute difference")

"probes.py" lies beside the check. Its functions run inside the candidate's
process, where the candidate can tamper with everything; that is why they only
report, and every judgement is made here, on inputs that the candidate has
never seen.

The exit code is the verdict: 0 passed, 1 failed, 75 the check itself is broken.
Only trouble before the first contact with the candidate counts as broken:
otherwise a candidate could turn its failure into an error by returning
nonsense.
"""

import contextlib
import dataclasses
import json
import math
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree

CANDIDATE = 1000  # the uid and gid that the agent had
HERE = os.path.dirname(os.path.abspath(__file__))
OUTPUT_LIMIT = 256 * 1024  # bytes kept of each stream of a candidate
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes of one answer of a probe
FILE_LIMIT = 1 << 30  # bytes of a file that a candidate may write
BROKEN = 75


class Rejected(Exception):
    """The candidate did something for which it fails, whatever else it did."""


class _Told(Rejected):
    """Rejected by an expectation that was reported already."""


@dataclasses.dataclass
class Completed:
    """How a candidate's program ended. `exit` is negative for a signal."""

    exit: int
    stdout: str
    stderr: str
    timed_out: bool


class Judge:
    """Collects named expectations and turns them into a verdict.

    Use it as a context manager. `workspace` is where the snapshot lies; it
    belongs to the candidate, so nothing in it may be believed, executed or
    followed outside of the methods below. `imports` names modules that probes and
    tests need and that take long: they are imported once for all of them.
    """

    def __init__(self, workspace=None, imports=()):
        self.workspace = os.path.abspath(workspace or os.getcwd())
        self.seed = int(os.environ.get("BENCH_SEED", "0"))
        self._score = None
        self._metrics = {}
        self._failed = 0
        self._first = ""  # expectation that did not hold
        self._held = 0
        self._contact = False
        self._rooms = []
        self._imports = imports
        self._warm = None

    # -- verdict ---------------------------------------------------------

    def expect(self, name, holds, detail=""):
        """Record one expectation; go on in any case. Returns whether it holds."""
        if holds:
            self._held += 1
            print(f"ok    {name}", flush=True)
        else:
            self._failed += 1
            self._first = self._first or name
            print(f"FAIL  {name}" + (f": {_short(detail)}" if detail else ""), flush=True)
        return bool(holds)

    def require(self, name, holds, detail=""):
        """Like expect, but what follows would be pointless if it does not hold."""
        if not self.expect(name, holds, detail):
            raise _Told(name)

    def halt(self):
        """End here if something does not hold: what follows takes long, and changes nothing."""
        if self._failed:
            raise _Told(self._first)

    def metric(self, name, value, unit="", description=""):
        """Report a number beside the verdict. Infinite and NaN are not numbers."""
        if not math.isfinite(value):
            raise ValueError(f"metric {name} is {value}")
        self._metrics[name] = {"value": value, "unit": unit, "description": description}

    def score(self, value):
        """Report partial credit from 0 to 1; without it a pass is 1, a failure 0."""
        if not 0 <= value <= 1:
            raise ValueError(f"score {value} is not within 0 and 1")
        self._score = value

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        _kill_candidates()
        for room in self._rooms:
            shutil.rmtree(room, ignore_errors=True)
        # The candidate may have written there, in the hope that nobody else does.
        for variable in ("BENCH_SCORE", "BENCH_METRICS"):
            _remove(os.environ.get(variable))
        if kind is not None and issubclass(kind, SystemExit):
            return False
        sys.exit(self._verdict(error))

    def _verdict(self, error):
        if isinstance(error, Rejected):
            if not isinstance(error, _Told):
                self._first = self._first or _line(error)
                self.expect("the candidate can be graded", False, str(error))
        elif error is not None:
            traceback.print_exception(error)
            if not self._contact:
                return BROKEN
            self.expect("the candidate's answers make sense", False, repr(error))
        elif not self._failed and not self._held:
            print("the check expects nothing, so it decides nothing", flush=True)
            return BROKEN
        if self._score is not None:
            _report("BENCH_SCORE", repr(float(self._score)))
        if self._metrics:
            _report("BENCH_METRICS", json.dumps(self._metrics))
        if self._failed:  # the last line is what a report shows
            print(f"{self._failed} of {self._held + self._failed} expectations failed, first: {self._first}")
        else:
            print(f"all {self._held} expectations hold")
        return 1 if self._failed else 0

    # -- the candidate's files -------------------------------------------

    def read(self, name, limit=16 * 1024 * 1024):
        """The bytes of a file of the workspace; Rejected if it is not a plain one."""
        self._contact = True
        path = os.path.join(self.workspace, name)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise Rejected(f"{name} cannot be read: {error.strerror}") from None
        with os.fdopen(handle, "rb") as file:
            if not self._inside(path) or not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Rejected(f"{name} is not a plain file of the workspace")
            data = file.read(limit + 1)
        if len(data) > limit:
            raise Rejected(f"{name} is larger than {limit} bytes")
        return data

    def read_json(self, name, limit=16 * 1024 * 1024):
        """A JSON file of the workspace, parsed; Rejected if it is not JSON."""
        try:
            return json.loads(self.read(name, limit))
        except (ValueError, RecursionError) as error:
            raise Rejected(f"{name} is not JSON: {error}") from None

    def exists(self, name):
        """Whether the workspace has something of that name, a broken link included."""
        self._contact = True
        return os.path.lexists(os.path.join(self.workspace, name))

    def deliver(self, *names):
        """Copy just these files of the workspace into a fresh directory.

        The directory belongs to root and the candidate can only read it. What
        else the agent left (a conftest.py, a torch.py) stays behind.
        """
        room = self._room()
        for name in names:
            data = self.read(name)
            path = os.path.join(room, name)
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return room

    def add(self, room, *names):
        """Put files that lie beside the check into a delivered directory."""
        for name in names:
            shutil.copyfile(os.path.join(HERE, name), os.path.join(room, name))

    # -- the candidate's code --------------------------------------------

    def run(self, command, cwd=None, timeout=60, env=None, pass_fds=()):
        """Run a program as the candidate; its whole process tree is dead after it."""
        self._contact = True
        home = self._room(owner=CANDIDATE)
        process = subprocess.Popen(
            command,
            cwd=cwd or home,
            env={**_environment(home), **(env or {})},
            user=CANDIDATE,
            group=CANDIDATE,
            extra_groups=[],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            preexec_fn=_limit_files,
        )
        streams = [_Drain(process.stdout, OUTPUT_LIMIT), _Drain(process.stderr, OUTPUT_LIMIT)]
        timed_out = False
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
        _kill_candidates()
        process.wait()
        out, err = (stream.text() for stream in streams)
        return Completed(process.returncode, out, err, timed_out)

    def python(self, *arguments, **options):
        """Run the isolated interpreter as the candidate: no site, no PYTHONPATH, no cwd."""
        return self.run([sys.executable, "-I", *arguments], **options)

    def script(self, room, file, timeout=60):
        """Run a script of a delivered directory, beside its modules and in it."""
        tools = self._room()
        self.add(tools, "start.py")
        return self._ours(os.path.join(tools, "start.py"), room, os.path.join(room, file), cwd=room, timeout=timeout)

    def probe(self, room, file, function, timeout=60, **arguments):
        """Call a function of a probe file inside the candidate's process.

        `room` (from deliver) comes first on the module path there. The answer
        must be JSON. Rejected if there is none: a crash, an exit, a time-out.
        """
        tools = self._room()
        self.add(tools, "candidate.py", file)
        with open(os.path.join(tools, "arguments.json"), "w") as out:
            json.dump(arguments, out)
        reader, writer = os.pipe()
        drain = _Drain(os.fdopen(reader, "rb"), ANSWER_LIMIT + 1)
        try:
            done = self._ours(
                os.path.join(tools, "candidate.py"),
                room,
                os.path.join(tools, file),
                function,
                os.path.join(tools, "arguments.json"),
                timeout=timeout,
                answer=writer,
            )
        finally:
            os.close(writer)
            shutil.rmtree(tools)  # or later candidates could read what this one was asked
        what = f"{file}:{function}"
        if done.timed_out:
            raise Rejected(f"{what} took longer than {timeout} s")
        answer = drain.data()
        if len(answer) > ANSWER_LIMIT:
            raise Rejected(f"{what} answered with more than {ANSWER_LIMIT} bytes")
        if not answer:
            raise Rejected(f"{what} gave no answer, exit {done.exit}\n{done.stderr or done.stdout}")
        try:
            reply = json.loads(answer)
        except (ValueError, RecursionError):
            raise Rejected(f"{what} gave an answer that is not JSON") from None
        if not isinstance(reply, dict) or "answer" not in reply:
            raise Rejected(f"{what} raised: {reply.get('error') if isinstance(reply, dict) else reply}")
        return reply["answer"]

    def pytest(self, room, file, tests, timeout=120):
        """Run a visible test file over a delivered directory, and require its tests.

        Holds if exactly `tests` tests ran and all of them passed; skipped and
        expected failures do not count as passed. The report is written by the
        candidate's process, so this is never the only expectation of a check.
        """
        out = self._room(owner=CANDIDATE)
        report = os.path.join(out, "report.xml")
        tools = self._room()
        self.add(tools, "visible.py")
        done = self._ours(
            os.path.join(tools, "visible.py"), room, "-q", "-x", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull,
            "--rootdir", room, "--junitxml", report, os.path.join(room, file),
            cwd=room, timeout=timeout,
        )  # fmt: skip
        name = f"{file}: {tests} tests pass"
        if done.timed_out:
            self.require(name, False, f"longer than {timeout} s")
        passed, total = _count(report)
        holds = done.exit == 0 and passed == total == tests
        self.require(name, holds, f"{passed} of {total} passed, exit {done.exit}\n{done.stdout}")

    # -- inside ----------------------------------------------------------

    def _ours(self, script, *arguments, cwd=None, timeout=60, answer=None):
        """Run a script of ours as the candidate. It gets the number of its answer's file last."""
        if not self._imports:
            more = [] if answer is None else [str(answer)]
            return self.python(script, *arguments, *more, cwd=cwd, timeout=timeout, pass_fds=[int(n) for n in more])
        self._contact = True
        self._warm = self._warm or _Warm(self._imports)
        home = self._room(owner=CANDIDATE)
        return self._warm.run(script, arguments, cwd or home, _environment(home), timeout, answer)

    def _room(self, owner=0):
        room = tempfile.mkdtemp(prefix="judge-")
        os.chown(room, owner, owner)
        os.chmod(room, 0o755)
        self._rooms.append(room)
        return room

    def _inside(self, path):
        return os.path.realpath(path).startswith(os.path.realpath(self.workspace) + os.sep)


class _Warm:
    """A process of root's that has imported modules, and forks for each candidate; see warm.py."""

    def __init__(self, modules):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [sys.executable, "-I", os.path.join(HERE, "warm.py"), str(theirs.fileno()), *modules],
                cwd="/",
                env=_environment("/nonexistent"),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(self, script, arguments, cwd, env, timeout, answer):
        """As Judge.run."""
        request = {"script": script, "arguments": arguments, "cwd": cwd, "env": env, "user": CANDIDATE, "largest": FILE_LIMIT}
        pipes = [os.pipe(), os.pipe()]
        streams = [_Drain(os.fdopen(reader, "rb"), OUTPUT_LIMIT) for reader, _ in pipes]
        files = [writer for _, writer in pipes]
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files if answer is None else [*files, answer])
        finally:
            for file in files:
                os.close(file)
        self._socket.settimeout(timeout)
        timed_out = False
        try:
            status = self._socket.recv(64)
        except TimeoutError:
            timed_out = True
        _kill_candidates()
        if timed_out:
            self._socket.settimeout(None)
            status = self._socket.recv(64)
        if not status:
            raise RuntimeError("the process that starts candidates has ended")
        return Completed(int(status), *(stream.text() for stream in streams), timed_out)


class _Drain:
    """Reads a stream to its end in the background and keeps its first bytes."""

    def __init__(self, stream, limit):
        self._stream, self._limit, self._kept = stream, limit, bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(OSError, ValueError):
            while block := self._stream.read1(65536):
                self._kept += block[: max(0, self._limit - len(self._kept))]

    def data(self):
        self._thread.join(10)
        return bytes(self._kept)

    def text(self):
        return self.data().decode("utf-8", "replace")


def _environment(home):
    """All that a candidate has of one, with a directory of its own."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",  # on small inputs, threads of torch mostly wait for each other
    }


def _limit_files():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))


def _kill_candidates():
    """Kill every process of the candidate's uid; kill(-1) leaves no room for a race."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(CANDIDATE)
            os.setuid(CANDIDATE)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.001)


def _count(report):
    """Passed and all tests of a JUnit report; nothing readable is no test."""
    try:
        if os.path.getsize(report) > ANSWER_LIMIT:
            return 0, 0
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return 0, 0
    bad = {"failure", "error", "skipped"}
    return sum(1 for case in cases if not bad & {child.tag for child in case}), len(cases)


def _report(variable, text):
    path = os.environ.get(variable)
    if path:
        with open(path, "x") as file:
            file.write(text)


def _remove(path):
    if path and os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif path and os.path.lexists(path):
        os.unlink(path)


def _line(error):
    return str(error).strip().split("\n")[0][:160]


def _short(detail):
    text = str(detail).strip()
    return text if len(text) <= 2000 else text[:1000] + " ... " + text[-900:]

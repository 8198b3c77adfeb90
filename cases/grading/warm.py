"""Starts candidates from a process that has imported what all of them need.

    warm.py SOCKET_FD MODULE...

To import torch takes longer than most answers do. This process does it once,
before there is any candidate, and forks for each one. It knows nothing that a
candidate may not see, and each child gives up root, and all files but its own,
before it reads the first byte of the candidate's.

A request is a JSON object with the script, its arguments, where and with which
environment it runs, and carries the files for its standard output, its standard
error and, if there is one, its answer. The reply is its exit status, negative
for a signal.
"""

import importlib
import json
import os
import random
import resource
import runpy
import socket
import sys
import traceback


def main():
    judge = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    while True:
        text, files, _, _ = socket.recv_fds(judge, 1 << 16, 3)
        if not text:
            return
        request = json.loads(text)
        child = os.fork()
        if child == 0:
            become(request, files)
        for file in files:
            os.close(file)
        judge.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def become(request, files):
    """Turn this child into the candidate, and end with it."""
    status = 1
    try:
        os.setsid()
        answer = give(files)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"], request["largest"]))
        os.setgroups([])
        os.setresgid(*[request["user"]] * 3)
        os.setresuid(*[request["user"]] * 3)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        reseed()
        sys.argv = [request["script"], *request["arguments"], *answer]
        runpy.run_path(request["script"], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001, as the interpreter itself would end
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # noqa: BLE001, who closed it wants no more of it
                pass
        os._exit(status & 0xFF)


def give(files):
    """Put the files of the request where a program expects them, and close all others."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, place in zip((nothing, *files), (0, 1, 2, 3)):
        os.dup2(file, place)
    os.closerange(4 if len(files) == 3 else 3, 1 << 12)
    return ["3"] if len(files) == 3 else []


def reseed():
    """Children must not throw the same dice."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


main()

"""What an IPython kernel is told before the first cell, without a trace: it gives no name to anything."""

from __future__ import annotations

import zmq

NO_LIMIT = (
    "get_ipython().kernel.iopub_thread.io_loop.add_callback("
    f"get_ipython().kernel.iopub_thread.socket.setsockopt, {int(zmq.SNDHWM)}, 0)"
)
"""A kernel's socket drops messages that are not read fast enough; without a limit they wait."""
INTERRUPT_AGAIN = """
import signal, sys, threading
def hook(unraisable, before=sys.unraisablehook):
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        main = threading.main_thread().ident
        threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT]).start()
    else:
        before(unraisable)
sys.unraisablehook = hook
"""
"""An interrupt that arrives while Python runs a destructor or a callback of the garbage collector is raised
there and dropped (docs.python.org, sys.unraisablehook): the cell would go on as if nobody had asked. So it is
raised again, from a thread: within the hook it would be dropped, too."""
SETUP = f"{NO_LIMIT}\nexec({INTERRUPT_AGAIN!r}, {{}})"

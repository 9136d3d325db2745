# SPDX-License-Identifier: Apache-2.0
"""For all tests: what a shell hands down to a job in the background must not change them."""
import signal

# Such a job ignores SIGINT, and so would every program it starts; tests of an interrupt send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

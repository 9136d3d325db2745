# SPDX-License-Identifier: Apache-2.0
"""Somebody who does one thing after the other, beside others: the clients of the random runs."""
import queue
import threading


class Actor(threading.Thread):
    """Does one(*task) for what is put into `todo`, in turn, until None comes. What goes wrong is in `error`, for the main
    thread; nothing more is done then."""

    def __init__(self, name):
        super().__init__(daemon=True, name=name)
        self.todo, self.error = queue.Queue(2), None

    def run(self):
        try:
            while True:
                task = self.todo.get()
                if task is None:
                    return
                if not self.error:
                    self.one(*task)
        except BaseException as e:
            self.error = e
            while self.todo.get() is not None:
                pass

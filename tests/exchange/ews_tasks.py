# SPDX-License-Identifier: Apache-2.0
"""How a task's status, percentage and dates hang together, and what becomes of a recurring one (MS-OXOTASK 3.1.4)."""
import dataclasses

from cal_recur import DAILY, MONTHLY, WEEKLY, every_day, every_month


def finish_task(now, task, fields):
    """The task with fields set: complete, 100 % and a date of completion go together, and of those the last one that is
    processed decides (MS-OXWSTASK, t:TaskType)."""
    said = [name for name in fields if name in ("status", "percent", "completed") and fields[name] is not None]
    if said[-1:] == ["completed"]:
        return dataclasses.replace(task, **{**fields, "status": "Completed", "percent": 100})
    status, percent = fields.get("status"), fields.get("percent")
    if status is None and percent is not None:
        status = "Completed" if percent == 100 else "NotStarted" if percent == 0 else "InProgress"
        if task.status in ("WaitingOnOthers", "Deferred") and percent < 100:
            status = task.status
    if status is not None:
        fields["status"] = status
        if status == "Completed":
            fields["percent"] = 100
            fields["completed"] = now if task.status != "Completed" else task.completed
        else:
            fields["completed"] = None
            if status == "NotStarted":
                fields["percent"] = 0
            elif fields.get("percent", task.percent) == 100:
                fields["percent"] = 0
    start, due = fields.get("start", task.start), fields.get("due", task.due)
    if start is not None and due is not None and start > due:
        fields["due" if "start" in fields and "due" not in fields else "start"] = start if "due" not in fields else due
    return dataclasses.replace(task, **fields)


def advanced(task):
    """The next occurrence of a recurring task that was not done yet; None after the last one."""
    current = task.due or task.start
    for day in task.recurrence.dates():
        if current is None or day > current:
            shift = day - current if current else None
            start = task.start + shift if task.start and shift else task.start
            return dataclasses.replace(
                task, start=start, due=day, status="NotStarted", percent=0, completed=None, reminder=task.reminder
            )
    return None


def regenerated(task, done):
    """Of a regenerating task: the next one, counted from the day `done`."""
    r = task.recurrence
    if r.kind == DAILY:
        days = every_day(done, r.interval)
    elif r.kind == WEEKLY:
        days = every_day(done, 7 * r.interval)
    else:
        days = every_month(done.year, done.month, r.interval * (1 if r.kind == MONTHLY else 12), done.day, 0, 0)
    following = next(day for day in days if day > done)
    length = task.due - task.start if task.due and task.start else None
    start = following - length if length is not None else task.start and following
    return dataclasses.replace(task, start=start, due=following, status="NotStarted", percent=0, completed=None)

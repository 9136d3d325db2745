# SPDX-License-Identifier: Apache-2.0
"""Ping (MS-ASCMD 2.2.1.13)."""
from eas_sync import find_folder
from wbxml import E

EXPIRED, CHANGES, MISSING, SYNTAX, BAD_HEARTBEAT, TOO_MANY, HIERARCHY = "1", "2", "3", "4", "5", "6", "7"


def ping(ctx, tree):
    options, device = ctx.options, ctx.device
    if tree is not None:
        if tree.has("HeartbeatInterval"):
            device.ping["heartbeat"] = tree.value("HeartbeatInterval")
        if tree.has("Folders"):
            device.ping["folders"] = [(f.value("Id"), f.value("Class")) for f in tree.all("Folders/Folder")]
    heartbeat, wanted = device.ping.get("heartbeat"), device.ping.get("folders")
    if heartbeat is None or not wanted:
        return ctx.status(MISSING)
    if not heartbeat.isdigit():
        return ctx.status(SYNTAX)
    nearest = min(max(int(heartbeat), options.eas_heartbeat_min), options.eas_heartbeat_max)
    if nearest != int(heartbeat):
        device.ping.pop("heartbeat")
        return E("Ping:Ping", E("Status", BAD_HEARTBEAT), E("HeartbeatInterval", nearest))
    if len(wanted) > options.eas_ping_max_folders:
        device.ping.pop("folders")
        return E("Ping:Ping", E("Status", TOO_MANY), E("MaxFolders", options.eas_ping_max_folders))
    watched = []
    for number, _ in wanted:
        folder = find_folder(ctx, number)
        if folder is None:
            return ctx.status(HIERARCHY)
        if folder != "RI":
            watched.append(device.collection(folder))
    if any(state.key is None for state in watched):
        if options.eas_ping_needs_sync:
            return ctx.status(HIERARCHY)
        ctx.violation("Ping of a folder that was never synced")
    return park(ctx, watched, int(heartbeat))


def park(ctx, watched, seconds):
    """Until something is there to be fetched, the folder list has changed, or the heartbeat has passed."""
    kinds = ("Add",) if ctx.options.eas_ping_reports == "adds" else None

    def look():
        if ctx.request.client_gone():
            return "gone"
        folders = ctx.mailbox.folders
        if any(state.folder_num not in folders for state in watched):
            return HIERARCHY
        if ctx.options.eas_ping_false:
            return watched
        return [s for s in watched if s.key and s.pending(folders[s.folder_num], ctx.now(), kinds)]

    ctx.request.app.leave(ctx.request)  # parked: no longer counted as under way
    found = ctx.mailbox.wait(look, seconds)
    if found == "gone":
        ctx.detail(gone=True)
        return ctx.status(EXPIRED)
    if found == HIERARCHY:
        return ctx.status(HIERARCHY)
    ctx.detail(woken=bool(found))
    if not found:
        return ctx.status(EXPIRED)
    nested = ctx.options.eas_ping_folder == "nested"
    numbers = [str(state.folder_num) for state in found]
    folders = [E("Ping:Folder", E("Id", n)) if nested else E("Ping:Folder", n) for n in numbers]
    return E("Ping:Ping", E("Status", CHANGES), E("Folders", *folders))


COMMANDS = {"Ping": ping}

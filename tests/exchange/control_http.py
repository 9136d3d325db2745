# SPDX-License-Identifier: Apache-2.0
"""The control server: JSON over HTTP on a port of its own, loopback only, no authentication. Endpoints are in
README.md."""
import base64
import http.server
import json
import traceback
import urllib.parse

import corpus
import model
from control_calendar import CalendarControl
from model import ModelError


class ControlHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 900

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        self.dispatch()

    do_POST = do_DELETE = do_GET

    def dispatch(self):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        name = parts.path.removeprefix("/control/").strip("/").replace("/", "_")
        action = getattr(Control(self.server.app), f"{self.command.lower()}_{name}", None)
        try:
            if action is None:
                status, answer = 404, {"error": f"no {self.command} {parts.path}"}
            else:
                body = json.loads(raw) if raw else {}
                status, answer = 200, action({**query, **body} if isinstance(body, dict) else {"list": body})
        except (ModelError, ValueError, KeyError, TypeError) as error:
            status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
        except Exception:
            status, answer = 500, {"error": traceback.format_exc()}
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header(
            "Content-Type", "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        )
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Control(CalendarControl):
    """One method per endpoint: get_log is GET /control/log."""

    def __init__(self, app):
        self.app = app

    def mailbox(self, args):
        user = args.get("user")
        if args.get("archive"):
            return self.app.store.users[0].archive
        if not user:
            return self.app.store.users[0].mailbox
        found = next((u.mailbox for u in self.app.store.users if user.casefold() in u.names), None)
        if found is None:
            raise ValueError(f"no user {user}")
        return found

    def folder(self, mailbox, args, key="folder", default="inbox"):
        return mailbox.find_folder(args.get(key, default))

    def item(self, mailbox, args):
        if "num" in args:
            return mailbox.item(int(args["num"]))
        wanted = args["message_id"]
        found = [i for i in mailbox.items.values() if i.message_id == wanted]
        if len(found) != 1:
            raise ValueError(f"{len(found)} items have the Message-ID {wanted}")
        return found[0]

    # ---- the server ----

    def get_status(self, args):
        return {
            "users": [u.name for u in self.app.store.users],
            "options": self.app.options.all(),
            "requests": self.app.log.last(),
            "clock": self.app.clock.now(),
            "connections": len(self.app.connections),
            "bad_logins": dict(self.app.bad_logins),
        }

    def get_options(self, args):
        return self.app.options.all()

    def post_options(self, args):
        self.app.options.update(args)
        return self.app.options.all()

    def get_clock(self, args):
        return {"now": self.app.clock.now()}

    def post_clock(self, args):
        if "set" in args:
            self.app.clock.set(args["set"])
        self.app.clock.advance(args.get("advance", 0))
        return self.get_clock(args)

    def post_reset(self, args):
        """Forgets log, violations and faults; the mailboxes stay."""
        self.app.faults.clear()
        self.app.log.clear()
        self.app.bad_logins.clear()
        return {}

    def post_drop_connections(self, args):
        self.app.drop_connections()
        return {}

    def post_users(self, args):
        user = self.app.store.add_user(args["name"], args["password"], args.get("email"))
        return {"name": user.name, "email": user.mailbox.email}

    def post_archive(self, args):
        """The first user gets an archive; `archive` in other requests means it."""
        user = self.app.store.users[0]
        user.archive = model.Mailbox(self.app.store, "archive of " + user.mailbox.email, "In-Place Archive", is_archive=True)
        return {}

    def post_password(self, args):
        user = next(u for u in self.app.store.users if args["user"].casefold() in u.names)
        user.password = args["password"]
        return {}

    def post_sent_copies(self, args):
        """Those that were held back (hold_sent_copies) are filed, the oldest `count` of them; how many there were."""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            held = mailbox.held_copies[: args.get("count")]
            del mailbox.held_copies[: len(held)]
            for file in held:
                file()
        return {"filed": len(held)}

    def post_invalidate(self, args):
        """Every sync state (and sync key) given out so far becomes invalid; with new_ids every item gets a new id,
        too."""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            mailbox.generation += 1
            if args.get("new_ids"):
                for item in list(mailbox.items.values()):
                    mailbox.move_item(item, mailbox.folder(item.folder))
        return {"generation": mailbox.generation}

    # ---- faults and log ----

    def get_faults(self, args):
        return self.app.faults.report()

    def post_faults(self, args):
        rules = args["list"] if "list" in args else args["rules"] if "rules" in args else [args]
        return {"ids": self.app.faults.add(rules)}

    def delete_faults(self, args):
        self.app.faults.clear({int(args["id"])} if "id" in args else None)
        return {}

    def get_log(self, args):
        return self.app.log.entries(int(args.get("since", 0)), args.get("protocol"), args.get("op"), args.get("user"))

    def get_log_counts(self, args):
        return self.app.log.counts(int(args.get("since", 0)), args.get("protocol"))

    def get_log_last(self, args):
        return {"last": self.app.log.last()}

    def delete_log(self, args):
        self.app.log.clear()
        return {}

    def get_violations(self, args):
        return list(self.app.log.violations)

    def get_submissions(self, args):
        return [
            {k: v for k, v in s.items() if k != "mime"}
            | {"mime_b64": base64.b64encode(s["mime"]).decode(), "meeting": self.meeting_of(s["mime"])}
            for s in self.app.store.submissions
        ]

    def get_eas(self, args):
        """What the EAS half knows of each device: policy key, wipe acknowledgements, folders with their keys."""
        return self.app.eas.report()

    # ---- mailboxes ----

    def get_mailbox(self, args):
        mailbox = self.mailbox(args)
        with mailbox.lock:
            return [
                {
                    "num": f.num,
                    "kind": f.kind,
                    "name": f.name,
                    "path": mailbox.folder_path(f),
                    "class": f.cls,
                    "hidden": f.hidden,
                    "total": len(f.items),
                    "unread": f.unread,
                    "parent": f.parent,
                }
                for f in mailbox.descendants(mailbox.kinds["msgfolderroot"].num)
            ]

    def get_items(self, args):
        """All items of a folder, oldest first; &props=1 adds the subject."""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            folder = self.folder(mailbox, args)
            return [self.describe(mailbox, i, "props" in args) for i in reversed(folder.newest_first())]

    def describe(self, mailbox, item, props=False):
        found = {
            "num": item.num,
            "folder": item.folder,
            "message_id": item.message_id,
            "received": item.received,
            "size": item.size,
            "read": item.read,
            "flag": item.flag,
            "categories": list(item.categories),
            "draft": item.draft,
            "class": item.item_class,
            "last_verb": item.last_verb,
            "traits": sorted(item.traits or ()),
        }
        if props:
            found["subject"] = mailbox.props(item).subject
        return found

    def get_mime(self, args):
        """The bytes as delivered; &served=1: as GetItem and Fetch serve them."""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            item = self.item(mailbox, args)
        return mailbox.store.served_mime(self.app.options, item) if args.get("served") else item.mime()

    def post_deliver(self, args):
        """New mail: {mime_b64} or {subject, from, to, text, count}; folder, received, read, flag, ..."""
        mailbox = self.mailbox(args)
        folder = self.folder(mailbox, args)
        fields = self.fields(args)
        made = []
        for n in range(args.get("count", 1)):
            raw = (
                base64.b64decode(args["mime_b64"])
                if "mime_b64" in args
                else corpus.simple_message(
                    args.get("subject", "New mail").replace("%d", str(n + 1)),
                    args.get("text", "Hello.\n"),
                    args.get("from", "Bob Sender <bob@fabrikam.example>"),
                    args.get("to", mailbox.email),
                    self.app.clock.now(),
                    mailbox.next_num,
                )
            )
            add = mailbox.add_item if args.get("quiet") else mailbox.deliver
            item = add(source=raw, folder=folder, **fields)
            made.append(self.describe(mailbox, item))
        return made

    @staticmethod
    def fields(args):
        fields = {
            k: args[k]
            for k in (
                "received",
                "size",
                "read",
                "flag",
                "draft",
                "item_class",
                "last_verb",
                "icon",
                "message_id",
                "importance",
            )
            if k in args
        }
        if "categories" in args:
            fields["categories"] = tuple(args["categories"])
        if "traits" in args:
            fields["traits"] = set(args["traits"])
        return fields

    def post_items(self, args):
        """{do: update|move|copy|delete, num or message_id, to, how, read, flag, categories, mime_b64, ...}"""
        mailbox = self.mailbox(args)
        with mailbox.lock:
            numbers = args.get("nums") or [self.item(mailbox, args).num]
            items = [mailbox.item(n) for n in numbers]
            done = [self.change(mailbox, item, args) for item in items]
        return [self.describe(mailbox, item) for item in done if item]

    def change(self, mailbox, item, args):
        if args["do"] == "update":
            changes = self.fields(args)
            if "mime_b64" in args:
                changes["mime"] = base64.b64decode(args["mime_b64"])
            if "subject" in args:
                changes["override"] = {"subject": args["subject"]}
            return mailbox.update_item(item, **changes)
        if args["do"] == "move":
            return mailbox.move_item(item, self.folder(mailbox, args, "to"))
        if args["do"] == "copy":
            return mailbox.copy_item(item, self.folder(mailbox, args, "to"))
        if args["do"] == "delete":
            return mailbox.delete_item(item, args.get("how", "hard"))
        raise ValueError(f"unknown change {args['do']}")

    def post_rights(self, args):
        """{user, mailbox, rights: [...]}: what `user` may do in the mailbox; see rights.py."""
        self.app.rights.set(args["user"], args["mailbox"], args["rights"])
        return {}

    def get_oauth(self, args):
        return self.app.oauth.state()

    def post_oauth(self, args):
        return self.app.oauth.change(args)

    def post_folders(self, args):
        """{do: create|rename|move|delete, folder, parent, name, class, how}"""
        mailbox = self.mailbox(args)
        if args["do"] == "create":
            parent = self.folder(mailbox, args, "parent", "msgfolderroot")
            folder = mailbox.create_folder(parent, args["name"], args.get("class", "IPF.Note"))
        else:
            folder = self.folder(mailbox, args)
            if args["do"] == "rename":
                mailbox.update_folder(folder, name=args["name"])
            elif args["do"] == "move":
                mailbox.move_folder(folder, self.folder(mailbox, args, "parent"))
            elif args["do"] == "delete":
                mailbox.delete_folder(folder, args.get("how", "hard"))
            else:
                raise ValueError(f"unknown change {args['do']}")
        return {"num": folder.num, "name": folder.name, "kind": folder.kind}

    def post_corpus(self, args):
        """Fills a folder with the corpus: {folder, count, seed, mean, ...} as corpus.fill."""
        mailbox = self.mailbox(args)
        more = {k: args[k] for k in ("seed", "mean", "kinds", "start", "step", "big") if k in args}
        corpus.fill(mailbox, self.folder(mailbox, args), args["count"], **more)
        return {"count": args["count"]}

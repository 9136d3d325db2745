# SPDX-License-Identifier: Apache-2.0
import os
import subprocess


def run(*command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


class Authority:
    """A certification authority of the test's own; the certificates of hosts and people come from it."""

    def __init__(self, directory, name="Test CA"):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.ca, self.key = (os.path.join(self.directory, f"ca.{kind}") for kind in ("pem", "key"))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/O=Test/CN={name}", "-keyout", self.key, "-out", self.ca,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self.count, self.made = 0, {}

    def certificate(self, hosts, days=20, expired=False):
        """(chain file, key file); the same again for the same hosts."""
        wanted = (tuple(hosts), days, expired)
        if wanted not in self.made:
            self.made[wanted] = self.make(hosts, days, expired)
        return self.made[wanted]

    def person(self, name, expired=False):
        """As certificate(), of a client."""
        wanted = (name, expired)
        if wanted not in self.made:
            self.made[wanted] = self.make([name], 20, expired, "clientAuth")
        return self.made[wanted]

    def make(self, hosts, days, expired, usage="serverAuth"):
        self.count += 1
        base = os.path.join(self.directory, f"leaf-{self.count}")
        with open(base + ".ext", "w") as file:
            file.write("subjectAltName=" + ",".join(f"DNS:{host}" for host in hosts) + "\n")
            file.write(f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage={usage}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={hosts[0]}",
            "-keyout", base + ".key", "-out", base + ".csr")
        if expired:
            days = -1
        run("openssl", "x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey", self.key, "-CAcreateserial",
            "-days", days, "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"

# SPDX-License-Identifier: Apache-2.0
"""A web server in front of the stand-in Exchange that signs people in as IIS does: a Kerberos realm of the test's own
(MIT's KDC), and Apache with mod_auth_gssapi and gss-ntlmssp, over TLS. Nothing of the system's is read or written.

    realm = Realm(directory)
    front = Front(directory, exchange, authority, realm=realm)      # or ntlm={"alice": "password"}, or client_ca=FILE
    realm.ticket("alice"), realm.client_environment                 # for the bridge
    front.requests()                                                # what Apache logged
"""
import hashlib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from authority import Authority  # noqa: F401 (for the tests)
from bridge import PASSWORD, USER, free_port, poll

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = "/usr/lib/apache2/modules"
NAME = "EXAMPLE.TEST"
DOMAIN = "EXAMPLE"

# gss-ntlmssp 1.2 reads NTLM messages as if each had the field Version, which MS-NLMP 2.2.1.1 and 2.2.1.3 make optional (libcurl
# sends none, Windows takes both). So it is put in on the way: eight zero bytes where it belongs, and what is behind them moved.
VERSION_LUA = """
function add(r)
  local text = (r.headers_in["Authorization"] or ""):match("^NTLM (.*)$")
  local message = text and r:base64_decode(text) or ""
  local kind = message:byte(9)
  local zero = ("\\0"):rep(8)
  if kind == 1 and #message <= 32 then -- base64_decode drops a zero at the end
    message = message .. ("\\0"):rep(40 - #message)
  elseif kind == 3 then
    local head = message:sub(1, 12)
    for at = 13, 53, 8 do
      head = head .. message:sub(at, at + 3) .. string.pack("<I4", string.unpack("<I4", message, at + 4) + 8)
    end
    message = head .. message:sub(61, 64) .. zero .. message:sub(65)
  else
    return apache2.DECLINED
  end
  r.headers_in["Authorization"] = "NTLM " .. r:base64_encode(message)
  return apache2.DECLINED
end
"""


def run(*command, text=None, env=None, code=0):
    done = subprocess.run(command, input=text, capture_output=True, text=True, env={**os.environ, **(env or {})}, timeout=60)
    assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    return done


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    return path


class Realm:
    """A KDC with the principals alice and HTTP/localhost."""

    def __init__(self, directory):
        self.directory = str(directory)
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self.port = free_port()
        self.config, self.cache, self.keytab = (os.path.join(self.directory, name) for name in ("krb5.conf", "ccache", "keytab"))
        write(
            self.config,
            f"""[libdefaults]
default_realm = {NAME}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
clockskew = 1
[realms]
{NAME} = {{
  kdc = 127.0.0.1:{self.port}
}}
[domain_realm]
localhost = {NAME}
""",
        )
        kdc = write(
            os.path.join(self.directory, "kdc.conf"),
            f"""[kdcdefaults]
kdc_listen = 127.0.0.1:{self.port}
kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
{NAME} = {{
  database_name = {self.directory}/principal
  key_stash_file = {self.directory}/stash
  max_life = 10h
}}
[logging]
kdc = FILE:{self.directory}/kdc.log
""",
        )
        self.environment = {"KRB5_CONFIG": self.config, "KRB5_KDC_PROFILE": kdc, "KRB5CCNAME": "FILE:" + self.cache}
        run("kdb5_util", "-r", NAME, "create", "-s", "-P", "master", env=self.environment)
        for query in (f"addprinc -pw {PASSWORD} alice", "addprinc -randkey HTTP/localhost", f"ktadd -k {self.keytab} HTTP/localhost"):
            run("kadmin.local", "-r", NAME, "-q", query, env=self.environment)
        self.process = subprocess.Popen(["krb5kdc", "-n", "-r", NAME], env={**os.environ, **self.environment},
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        poll(60, lambda: listens(self.port), "the KDC did not start")

    # The name of the cache goes to the bridge, not the KDC's files.
    @property
    def client_environment(self):
        return {name: self.environment[name] for name in ("KRB5_CONFIG", "KRB5CCNAME")}

    def ticket(self, life="1h"):
        run("kinit", "-l", life, "alice", text=PASSWORD + "\n", env=self.environment)

    def no_ticket(self):
        run("kdestroy", "-A", env=self.environment)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class Front:
    """Apache on a port of loopback. It passes on to the stand-in as alice, whoever signed in; its log says who did.

    per_request: a connection is not signed in, each request has to be. requests: it is closed after so many.
    binding: Extended Protection, as IIS demands it (binding.c). client_ca: certificates from there are demanded; at once,
    or, with renegotiate = TLSv1.2 or TLSv1.3, when it sees what is asked for."""

    def __init__(self, exchange, certificate, *, realm=None, ntlm=None, client_ca=None, renegotiate=None, per_request=False, requests=0, binding=False):
        self.port = free_port()
        # A directory of its own: the server's children are another user when it is root that tests.
        self.directory = tempfile.mkdtemp(prefix="exbridge-front-")
        self.log_path = os.path.join(self.directory, "access")
        chain, key = (shutil.copy(path, self.directory) for path in certificate)
        env = {}
        if realm:
            env = {"KRB5_CONFIG": shutil.copy(realm.config, self.directory), "KRB5_KTNAME": shutil.copy(realm.keytab, self.directory)}
        if ntlm:
            users = "".join(f"{DOMAIN}:{name}:{password}\n" for name, password in ntlm.items())
            env = {"NTLM_USER_FILE": write(os.path.join(self.directory, "users"), users)}
        if client_ca:
            client_ca = shutil.copy(client_ca, self.directory)
        if binding:
            env.update(LD_PRELOAD=self.binding_library(), TEST_BINDING=self.binding(chain))
        write(os.path.join(self.directory, "httpd.conf"), self.config(exchange, chain, key, realm, ntlm, client_ca, renegotiate, per_request, requests))
        command = ["/usr/sbin/apache2", "-d", self.directory, "-f", os.path.join(self.directory, "httpd.conf"), "-DFOREGROUND"]
        if os.geteuid() == 0:
            somebody = pwd.getpwnam("www-data")
            for name in ("", *os.listdir(self.directory)):
                os.chown(os.path.join(self.directory, name), somebody.pw_uid, somebody.pw_gid)
            command = ["setpriv", f"--reuid={somebody.pw_uid}", f"--regid={somebody.pw_gid}", "--clear-groups", "--", *command]
        self.process = subprocess.Popen(command, env={**os.environ, **env}, stdin=subprocess.DEVNULL, start_new_session=True)
        poll(60, lambda: listens(self.port) or self.process.poll() is not None, self.errors)
        assert self.process.poll() is None, self.errors()

    def config(self, exchange, chain, key, realm, ntlm, client_ca, renegotiate, per_request, requests):
        modules = ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "lua", "setenvif", "proxy", "proxy_http", "ssl", "socache_shmcb",
                   "auth_gssapi"]  # fmt: skip
        lines = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules]
        lines += [
            f"Listen 127.0.0.1:{self.port}", "ServerName localhost", f"PidFile {self.directory}/pid", "StartServers 1",
            f"DefaultRuntimeDir {self.directory}", f"Mutex file:{self.directory}", f"ErrorLog {self.directory}/errors",
            # whose connection, how many requests it had before, status, user, how the user came in, bytes of the request's body
            'LogFormat "%{remote}p %k %>s %u %{scheme}e %{Content-Length}i %m %U" found', f"CustomLog {self.log_path} found",
            'SetEnvIf Authorization "^(\\S+)" scheme=$1',
            "KeepAlive On", f"MaxKeepAliveRequests {requests}", "KeepAliveTimeout 60", "Timeout 300",
            "SSLEngine on", f"SSLCertificateFile {chain}", f"SSLCertificateKeyFile {key}", f"SSLSessionCache shmcb:{self.directory}/sessions",
            "SSLProtocol -all +TLSv1.2 +TLSv1.3" if not renegotiate else f"SSLProtocol -all +{renegotiate}",
            f"ProxyPass / {exchange.base}/ disablereuse=on", "ProxyTimeout 300",
            # What Exchange's front end does for its back end: the user is known here.
            f'RequestHeader set Authorization "expr=Basic %{{base64:{USER}:{PASSWORD}}}"',
        ]  # fmt: skip
        if client_ca:
            lines.append(f"SSLCACertificateFile {client_ca}")
        inside = ["Require all granted"]
        if realm or ntlm:
            inside = ["AuthType GSSAPI", f"GssapiAllowedMech {'ntlmssp' if ntlm else 'krb5'}", "GssapiSSLonly On", "Require valid-user"]
            if ntlm:
                inside.append(f"LuaHookAccessChecker {write(os.path.join(self.directory, 'version.lua'), VERSION_LUA)} add early")
            inside += [f"GssapiConnectionBound {'Off' if per_request else 'On'}"]
            if realm:
                inside += [f"GssapiCredStore keytab:{self.directory}/keytab"]
        if client_ca:
            (inside if renegotiate else lines).append("SSLVerifyClient require")
        return "\n".join([*lines, '<Location "/">', *inside, "</Location>"]) + "\n"

    def binding_library(self):
        path = os.path.join(self.directory, "binding.so")
        run("cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", path, os.path.join(HERE, "binding.c"), "-ldl")
        return path

    @staticmethod
    def binding(chain):
        """RFC 5929 4.1, for a certificate signed with SHA-256."""
        with open(chain) as file:
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(file.read())).hexdigest()

    @property
    def base(self):
        return f"https://localhost:{self.port}"

    @property
    def url(self):
        return self.base + "/EWS/Exchange.asmx"

    @property
    def eas_url(self):
        return self.base + "/Microsoft-Server-ActiveSync"

    def errors(self):
        path = os.path.join(self.directory, "errors")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as file:
            return file.read()

    def requests(self, since=0):
        """[{connection, before, status, user, scheme, length, method, path}], `-` where there is none"""
        found = []
        with open(self.log_path, errors="replace") as file:
            for line in file.read().splitlines()[since:]:
                connection, before, status, user, scheme, length, method, path = line.split(" ")
                found.append({"connection": int(connection), "before": int(before), "status": int(status), "user": user, "scheme": scheme,
                              "length": 0 if length == "-" else int(length), "method": method, "path": path})  # fmt: skip
        return found

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)  # it would wait for parked requests
            self.process.wait(60)
            self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

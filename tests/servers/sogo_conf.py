# SPDX-License-Identifier: Apache-2.0
"""Configuration files of the SOGo rig: Dovecot, GNUstep, sogod.  All paths are inside the rig's own directory."""

# One password file for each user: Dovecot rereads a file at most once a second, a new user would not be known at once.
DOVECOT = """\
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {run}/dovecot
state_dir = {run}/dovecot-state
instance_name = exbridge-sogo
log_path = {log}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{data}/mail/%n
mail_home = {data}/mail/%n
mailbox_list_index = yes
mail_fsync = never
mail_max_userip_connections = 100
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = {etc}/users/%n
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={data}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = subscribe
    special_use = \\Trash
  }}
  mailbox Junk {{
    auto = subscribe
    special_use = \\Junk
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  user = {user}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@{domain}
}}
"""

# The packaged GNUstep.conf is kept but for the user directories: sogod then reads the file `sogod.plist` of the rig in
# place of /etc/sogo/sogo.conf.  $HOME does not do it, GNUstep asks getpwnam().
GNUSTEP = """\
{packaged}
GNUSTEP_USER_CONFIG_FILE=.GNUstep.conf
GNUSTEP_USER_DIR=GNUstep
GNUSTEP_USER_DEFAULTS_DIR={run}/defaults
"""

# SOGoInternalSyncInterval: how often a parked Ping looks at the mailbox.  Less than 5 is taken as 5 for the sleep but
# not for the number of rounds, and a Ping would last far beyond its heartbeat.
SOGO = """\
{{
  WOPort = "127.0.0.1:{http_port}";
  WOWorkersCount = {workers};
  WOPidFile = "{run}/sogod.own.pid";
  WOLogFile = "-";
  WOWatchDogRequestTimeout = 60;
  SxVMemLimit = 0;
  WOMailSpoolPath = "{run}/spool";
  SOGoProfileURL = "{db}/sogo_user_profile";
  OCSFolderInfoURL = "{db}/sogo_folder_info";
  OCSSessionsFolderURL = "{db}/sogo_sessions_folder";
  OCSEMailAlarmsFolderURL = "{db}/sogo_alarms_folder";
  OCSStoreURL = "{db}/sogo_store";
  OCSAclURL = "{db}/sogo_acl";
  OCSCacheFolderURL = "{db}/sogo_cache_folder";
  OCSAdminURL = "{db}/sogo_admin";
  SOGoMemcachedHost = "{run}/memcached.sock";
  SOGoMailDomain = "{domain}";
  SOGoLanguage = English;
  SOGoTimeZone = "{zone}";
  SOGoIMAPServer = "imap://127.0.0.1:{shim_port}";
  SOGoForceExternalLoginWithEmail = NO;
  SOGoMailingMechanism = smtp;
  SOGoSMTPServer = "smtp://127.0.0.1:{smtp_port}";
  SOGoDraftsFolderName = Drafts;
  SOGoSentFolderName = Sent;
  SOGoTrashFolderName = Trash;
  SOGoJunkFolderName = Junk;
  SOGoMaximumPingInterval = 3540;
  SOGoMaximumSyncInterval = 3540;
  SOGoInternalSyncInterval = 5;
  SOGoMaximumSyncWindowSize = 0;
  SOGoEASSearchInBody = YES;
  SOGoEASDebugEnabled = {debug};
  SOGoUserSources = (
    {{
      type = sql;
      id = directory;
      viewURL = "{db}/sogo_users";
      canAuthenticate = YES;
      isAddressBook = YES;
      displayName = "Directory";
      userPasswordAlgorithm = plain;
    }}
  );
}}
"""

SCHEMA = """\
CREATE DATABASE sogo;
\\c sogo
CREATE TABLE sogo_users (c_uid VARCHAR(64) PRIMARY KEY, c_name VARCHAR(64), c_password VARCHAR(128),
    c_cn VARCHAR(128), mail VARCHAR(128));
"""

ADD_USER = "INSERT INTO sogo_users VALUES (:'name', :'name', :'password', :'full', :'mail');\n"

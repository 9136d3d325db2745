# SPDX-License-Identifier: Apache-2.0
"""Provision (MS-ASPROV) and Settings (MS-ASCMD 2.2.1.18): policies, remote wipe, device and user information."""
from wbxml import E, SPANS, VERSIONS

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
# What a server without any wish sends: everything allowed, nothing required.
HARMLESS = {
    "DevicePasswordEnabled": "0",
    "AlphanumericDevicePasswordRequired": "0",
    "PasswordRecoveryEnabled": "0",
    "RequireStorageCardEncryption": "0",
    "AttachmentsEnabled": "1",
    "MinDevicePasswordLength": "",
    "MaxInactivityTimeDeviceLock": "",
    "MaxDevicePasswordFailedAttempts": "",
    "MaxAttachmentSize": "",
    "AllowSimpleDevicePassword": "1",
    "DevicePasswordExpiration": "",
    "DevicePasswordHistory": "0",
    "AllowStorageCard": "1",
    "AllowCamera": "1",
    "RequireDeviceEncryption": "0",
    "AllowUnsignedApplications": "1",
    "AllowUnsignedInstallationPackages": "1",
    "MinDevicePasswordComplexCharacters": "1",
    "AllowWiFi": "1",
    "AllowTextMessaging": "1",
    "AllowPOPIMAPEmail": "1",
    "AllowBluetooth": "2",
    "AllowIrDA": "1",
    "RequireManualSyncWhenRoaming": "0",
    "AllowDesktopSync": "1",
    "MaxCalendarAgeFilter": "0",
    "AllowHTMLEmail": "1",
    "MaxEmailAgeFilter": "0",
    "MaxEmailBodyTruncationSize": "-1",
    "MaxEmailHTMLBodyTruncationSize": "-1",
    "RequireSignedSMIMEMessages": "0",
    "RequireEncryptedSMIMEMessages": "0",
    "RequireSignedSMIMEAlgorithm": "0",
    "RequireEncryptionSMIMEAlgorithm": "0",
    "AllowSMIMEEncryptionAlgorithmNegotiation": "2",
    "AllowSMIMESoftCerts": "1",
    "AllowBrowser": "1",
    "AllowConsumerEmail": "1",
    "AllowRemoteDesktop": "1",
    "AllowInternetSharing": "1",
    "UnapprovedInROMApplicationList": "",
    "ApprovedApplicationList": "",
}
INFO_FIELDS = (
    "Model",
    "IMEI",
    "FriendlyName",
    "OS",
    "OSLanguage",
    "PhoneNumber",
    "UserAgent",
    "EnableOutboundSMS",
    "MobileOperator",
)


def directive_of(ctx):
    """The element of the wipe that is asked for: an account-only one exists from 16.1 on."""
    if ctx.options.eas_wipe == "account" and ctx.at_least("16.1"):
        return "AccountOnlyRemoteWipe"
    return "RemoteWipe" if ctx.options.eas_wipe == "device" else None


def wipe_due(ctx):
    directive = directive_of(ctx)
    acknowledged = any(kind == directive for kind, _ in ctx.device.wipe_acks)
    return directive is not None and (ctx.options.eas_wipe_repeat or not acknowledged)


def provision(ctx, tree):
    device = ctx.device
    with device.lock:
        for kind in ("RemoteWipe", "AccountOnlyRemoteWipe"):
            if tree is not None and tree.has(kind):
                device.wipe_acks.append((kind, tree.value(f"{kind}/Status")))
                device.policy_key = None
                return answer(ctx)
        if wipe_due(ctx):
            device.wipe_sent += 1
            return answer(ctx, E(f"Provision:{directive_of(ctx)}"))
        if tree is None:
            return answer(ctx, code="2")
        info = tree.get("Settings:DeviceInformation")
        if info is not None:
            device.info = info_of(info)
        policy = tree.get("Policies/Policy")
        if policy is None:
            return answer(ctx, code="2")
        if policy.has("PolicyKey"):
            return acknowledged(ctx, policy, info)
        return offered(ctx, policy, info)


def info_of(info):
    return {name: info.value("Set/" + name) for name in INFO_FIELDS if info.has("Set/" + name)}


def answer(ctx, *parts, code="1"):
    status = [E("Status", code)] if ctx.options.eas_provision_status or code != "1" else []
    info = [E("Settings:DeviceInformation", E("Status", 1))] if ctx.request.detail.get("info") else []
    return E("Provision:Provision", *info, *status, *parts)


def policy_answer(ctx, code, *more):
    policy = E("Policy", E("PolicyType", POLICY_TYPE), E("Status", code), *more)
    return answer(ctx, E("Provision:Policies", policy))


def offered(ctx, policy, info):
    """Phase 1: the policy and a temporary key."""
    device, options = ctx.device, ctx.options
    if ctx.request.headers.get("X-MS-PolicyKey") not in ("0", device.policy_key):
        ctx.violation("Provision, first phase: X-MS-PolicyKey is neither 0 nor the key")
    if options.eas_require_device_info and ctx.at_least("14.1") and not device.info:
        return answer(ctx, code="165")
    ctx.detail(info=info is not None)
    if policy.value("PolicyType") != POLICY_TYPE:
        return policy_answer(ctx, "3")
    if options.eas_provision != "required":
        return policy_answer(ctx, "2")
    device.temporary_key = device.new_policy_key()
    document = {**HARMLESS, **options.eas_policy}
    fields = [E("Provision:" + name, value) for name, value in document.items() if exists(name, ctx.version)]
    data = E("Data", E("Provision:EASProvisionDoc", *fields))
    return policy_answer(ctx, "1", E("PolicyKey", device.temporary_key), data)


def exists(name, version):
    first, last = SPANS["Provision", name]
    return first <= VERSIONS.index(version) <= last


def acknowledged(ctx, policy, info):
    """Phase 2: what the client says it did with the policy."""
    device, options = ctx.device, ctx.options
    if info is not None:
        ctx.violation("DeviceInformation in the second phase")
    code = policy.value("Status")
    if code is None or code not in ("1", "2", "3", "4"):
        return answer(ctx, code="2")
    if device.temporary_key is None or policy.value("PolicyKey") != device.temporary_key:
        return policy_answer(ctx, "5")
    if ctx.request.headers.get("X-MS-PolicyKey") != device.temporary_key:
        ctx.violation("Provision, second phase: X-MS-PolicyKey is not the temporary key")
    device.policy_status = code
    if code == "4" and not options.eas_third_party_ok:
        return answer(ctx, code="145")
    if code in ("2", "3") and not options.eas_allow_nonprovisionable:
        return answer(ctx, code="139" if code == "2" else "141")
    device.temporary_key = None
    device.policy_key, device.policy_serial = device.new_policy_key(), options.eas_policy_serial
    return policy_answer(ctx, "1", E("PolicyKey", device.policy_key))


# Settings


def settings(ctx, tree):
    answers = [SETTERS[e.tag](ctx, e) for e in tree.elements]
    return E("Settings:Settings", E("Status", 1), *answers)


def device_information(ctx, e):
    ctx.device.info = info_of(e)
    return E("Settings:DeviceInformation", E("Status", 1))


def user_information(ctx, e):
    address = ctx.mailbox.email
    if not ctx.at_least("14.1"):
        return E("Settings:UserInformation", E("Status", 1), E("Get", E("EmailAddresses", E("SMTPAddress", address))))
    addresses = E("EmailAddresses", E("SMTPAddress", address), E("PrimarySmtpAddress", address))
    account = E("Account", E("UserDisplayName", ctx.mailbox.display_name), addresses)
    return E("Settings:UserInformation", E("Status", 1), E("Get", E("Accounts", account)))


def oof(ctx, e):
    if e.has("Set"):
        ctx.device.oof = {c.tag: c.text for c in e.get("Set").elements if not c.elements}
        return E("Settings:Oof", E("Status", 1))
    return E("Settings:Oof", E("Status", 1), E("Get", E("OofState", ctx.device.oof.get("OofState", "0"))))


def device_password(ctx, e):
    return E("Settings:DevicePassword", E("Status", 1))


def rights_management(ctx, e):
    """No licence server here: no templates."""
    return E("Settings:RightsManagementInformation", E("Status", 1), E("Get"))


SETTERS = {
    "DeviceInformation": device_information,
    "UserInformation": user_information,
    "Oof": oof,
    "DevicePassword": device_password,
    "RightsManagementInformation": rights_management,
}
COMMANDS = {"Provision": provision, "Settings": settings}

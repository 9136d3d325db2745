# SPDX-License-Identifier: Apache-2.0
"""Provision: both phases, honest acknowledgements, refresh, remote wipe (MS-ASPROV)."""
import pytest

from eas_kit import *


def device(exchange, client):
    return next(d for d in exchange.devices() if d["id"] == client.device_id)


def unprovisioned(exchange, version="16.1", **settings):
    return EasClient(exchange.eas_url, USER, PASSWORD, version=version, **settings)


@pytest.mark.parametrize("version", ["12.1", "14.0", "14.1", "16.0", "16.1"])
def test_a_policy_key_is_needed_and_given(exchange, version):
    client = unprovisioned(exchange, version)
    with raises_http(449) if version == "12.1" else raises_status("142"):
        client.folder_sync()
    assert client.provision() == "1"
    if version == "14.0":
        with raises_status("165"):
            client.folder_sync()
        client.send_device_information()
    client.folder_sync()
    assert device(exchange, client)["policy_key"] == client.policy_key
    client.policy_key = "12345"
    with raises_http(449) if version == "12.1" else raises_status("144"):
        client.folder_sync()


def test_the_temporary_key_is_not_the_key(exchange):
    client = unprovisioned(exchange)
    policy = E("Provision:Policies", E("Policy", E("PolicyType", "MS-EAS-Provisioning-WBXML")))
    tree = E("Provision:Provision", client.device_information(), policy)
    answer = client.checked("Provision", tree, headers={"X-MS-PolicyKey": "0"})
    client.policy_key = answer.value("Policies/Policy/PolicyKey")
    assert answer.value("Policies/Policy/Data/EASProvisionDoc/DevicePasswordEnabled") == "0"
    with raises_status("142"):
        client.folder_sync()


def test_device_information_is_required_from_14_1_on(exchange):
    with raises_status("165"):
        unprovisioned(exchange, device_info=False).provision()
    assert unprovisioned(exchange, "12.1", device_info=False).provision() == "1"


def test_no_policy(exchange):
    exchange.options(eas_provision="none")
    client = unprovisioned(exchange)
    assert client.provision() == "2"
    client.folder_sync()
    assert exchange.violations() == []


def test_policies_can_be_chosen(exchange):
    exchange.options(eas_policy={"RequireDeviceEncryption": "1", "AllowPOPIMAPEmail": "0"})
    client = unprovisioned(exchange)
    client.provision()
    assert client.policy.value("RequireDeviceEncryption") == "1"
    assert client.policy.value("AllowPOPIMAPEmail") == "0"
    assert client.policy.value("AllowCamera") == "1"


@pytest.mark.parametrize("acknowledge,refused", [("2", "139"), ("3", "141"), ("4", "145")])
def test_honest_acknowledgements(exchange, acknowledge, refused):
    client = unprovisioned(exchange)
    with raises_status(refused):
        client.provision(acknowledge)
    assert device(exchange, client)["policy_status"] == acknowledge
    exchange.options(eas_allow_nonprovisionable=True, eas_third_party_ok=True)
    assert client.provision(acknowledge) == "1"
    client.folder_sync()


def test_wrong_temporary_key(exchange):
    client = unprovisioned(exchange)
    policy = E("Policy", E("PolicyType", "MS-EAS-Provisioning-WBXML"), E("PolicyKey", "1"), E("Status", "1"))
    answer = client.checked("Provision", E("Provision:Provision", E("Policies", policy)))
    assert answer.value("Policies/Policy/Status") == "5"


def test_policy_refresh(exchange, fresh):
    client, old = fresh("16.1"), fresh("12.1")
    exchange.options(eas_policy_serial=2)
    with raises_status("143"):
        client.folder_sync()
    with raises_http(449):
        old.folder_sync()
    for each in (client, old):
        each.provision()
        each.folder_sync()
    exchange.fault(protocol="eas", do="policy", code=142)
    with raises_status("142"):
        client.folder_sync()
    with raises_status("142"):
        client.folder_sync()
    client.provision()
    client.folder_sync()


def test_the_status_may_be_missing(exchange):
    exchange.options(eas_provision_status=False)
    client = unprovisioned(exchange)
    assert client.provision() == "1" and not client.last.tree.has("Status")


@pytest.mark.parametrize("kind,version", [("device", "14.1"), ("device", "16.1"), ("account", "16.1")])
def test_remote_wipe(exchange, fresh, kind, version):
    client = fresh(version)
    exchange.options(eas_wipe=kind)
    with raises_status("140"):
        client.folder_sync()
    reply = client.command("Provision", E("Provision:Provision"), headers={"X-MS-PolicyKey": "0"})
    directive = "AccountOnlyRemoteWipe" if kind == "account" else "RemoteWipe"
    assert reply.has(directive)
    client.acknowledge_wipe(directive)
    assert device(exchange, client)["wipe_acks"] == [[directive, "1"]]
    exchange.options(eas_wipe_repeat=True)
    with raises_status("140"):
        client.folder_sync()


def test_an_account_wipe_needs_16_1(exchange, fresh):
    client = fresh("14.1")
    exchange.options(eas_wipe="account")
    client.folder_sync()


def test_wipe_in_old_versions_is_449(exchange, fresh):
    client = fresh("12.1")
    exchange.options(eas_wipe="device")
    with raises_http(449):
        client.folder_sync()


def test_device_information_is_kept(exchange, fresh):
    for version in ("12.1", "14.0", "14.1", "16.1"):
        assert device(exchange, fresh(version))["info"]["OS"] == "Linux"


def test_user_information(fresh):
    for version, path in (("14.0", "EmailAddresses"), ("14.1", "Accounts/Account/EmailAddresses")):
        tree = E("Settings:Settings", E("UserInformation", E("Get")))
        answer = fresh(version).checked("Settings", tree)
        assert answer.value(f"UserInformation/Get/{path}/SMTPAddress") == USER

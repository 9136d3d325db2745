# SPDX-License-Identifier: Apache-2.0
"""ResolveNames, ConvertId, GetServerTimeZones, GetUserConfiguration, GetUserOofSettings."""
import base64

from ews import operation
from ews_schema import local
from ews_xml import M, T, EwsError, attr, esc, failure, read_id, response, success

ZONES = (
    ("UTC", "(UTC) Coordinated Universal Time", "PT0S"),
    ("W. Europe Standard Time", "(UTC+01:00) Amsterdam, Berlin", "-PT1H"),
)


@operation("ResolveNames")
def resolve_names(call):
    wanted = call.text("UnresolvedEntry").casefold().removeprefix("smtp:")
    boxes = [u.mailbox for u in call.app.store.users]
    found = [
        b
        for b in boxes
        if b.email.casefold().startswith(wanted)
        or any(w.startswith(wanted) for w in [b.display_name.casefold()] + b.display_name.casefold().split())
    ]
    if not found:
        return response(
            "ResolveNames",
            [failure("ResolveNames", EwsError("ErrorNameResolutionNoResults", "No results were found."))],
        )
    out = []
    for box in found:
        contact = ""
        if call.element.get("ReturnFullContactData") in ("true", "1"):
            contact = (
                f"<t:Contact><t:DisplayName>{esc(box.display_name)}</t:DisplayName><t:EmailAddresses>"
                f'<t:Entry Key="EmailAddress1">SMTP:{esc(box.email)}</t:Entry></t:EmailAddresses>'
                f"<t:ContactSource>ActiveDirectory</t:ContactSource></t:Contact>"
            )
        out.append(
            f"<t:Resolution><t:Mailbox><t:Name>{esc(box.display_name)}</t:Name><t:EmailAddress>{esc(box.email)}"
            f"</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType><t:MailboxType>Mailbox</t:MailboxType></t:Mailbox>"
            f"{contact}</t:Resolution>"
        )
    inner = (
        f'<m:ResolutionSet TotalItemsInView="{len(out)}" IncludesLastItemInRange="true">{"".join(out)}'
        f"</m:ResolutionSet>"
    )
    warning = "ErrorNameResolutionMultipleResults" if len(out) > 1 else None
    return response("ResolveNames", [success("ResolveNames", inner, warning)])


@operation("ConvertId")
def convert_id(call):
    target = call.element.get("DestinationFormat")

    def one(ref):
        if local(ref) != "AlternateId":
            raise EwsError("ErrorInvalidIdMalformed")
        text, form = ref.get("Id"), ref.get("Format")
        if form in ("HexEntryId", "EntryId"):
            try:
                raw = bytes.fromhex(text) if form == "HexEntryId" else base64.b64decode(text, validate=True)
            except ValueError:
                raise EwsError("ErrorInvalidIdMalformed") from None
            text = base64.b64encode(raw).decode()
        read_id(call.mailbox, text)
        if target == "HexEntryId":
            text = base64.b64decode(text).hex().upper()
        elif target == "OwaId":
            text = text.replace("/", "-").replace("+", "_")
        return (
            '<m:ConvertIdResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
            f'<m:AlternateId xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="t:AlternateIdType" '
            f'Format="{target}" Id="{attr(text)}" Mailbox="{attr(call.mailbox.email)}"/></m:ConvertIdResponseMessage>'
        )

    return call.each("ConvertId", call.child("SourceIds"), one)


@operation("GetServerTimeZones")
def get_server_time_zones(call):
    ids = call.child("Ids")
    wanted = {c.text.strip() for c in ids} if ids is not None else None
    full = call.element.get("ReturnFullTimeZoneData", "true") in ("true", "1")
    out = []
    for ident, name, bias in ZONES:
        if wanted is not None and ident not in wanted:
            continue
        periods = (
            (
                f'<t:Periods><t:Period Bias="{bias}" Name="Standard" Id="trule:{ident}/1-Standard"/></t:Periods>'
                f'<t:TransitionsGroups><t:TransitionsGroup Id="0"><t:Transition>'
                f'<t:To Kind="Period">trule:{ident}/1-Standard'
                f'</t:To></t:Transition></t:TransitionsGroup></t:TransitionsGroups><t:Transitions><t:Transition>'
                f'<t:To Kind="Group">0</t:To></t:Transition></t:Transitions>'
            )
            if full
            else ""
        )
        out.append(f'<t:TimeZoneDefinition Id="{ident}" Name="{esc(name)}">{periods}</t:TimeZoneDefinition>')
    return response(
        "GetServerTimeZones",
        [success("GetServerTimeZones", f"<m:TimeZoneDefinitions>{''.join(out)}</m:TimeZoneDefinitions>")],
    )


@operation("GetUserConfiguration")
def get_user_configuration(call):
    name = call.child("UserConfigurationName").get("Name")
    return response(
        "GetUserConfiguration",
        [
            failure(
                "GetUserConfiguration",
                EwsError("ErrorItemNotFound", f"The user configuration object {name} could not be found."),
            )
        ],
    )


@operation("GetUserOofSettingsRequest")
def get_oof(call):
    return (
        f'<m:GetUserOofSettingsResponse xmlns:m="{M}" xmlns:t="{T}"><m:ResponseMessage ResponseClass="Success">'
        f"<m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><t:OofSettings><t:OofState>Disabled</t:OofState>"
        f"<t:ExternalAudience>All</t:ExternalAudience></t:OofSettings><m:AllowExternalOof>All</m:AllowExternalOof>"
        f"</m:GetUserOofSettingsResponse>"
    )

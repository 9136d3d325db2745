# SPDX-License-Identifier: Apache-2.0
"""ResolveNames, ConvertId, GetServerTimeZones, GetUserConfiguration, GetServiceConfiguration, GetUserOofSettings."""
import base64

import cal_zones
from ews import operation
from ews_calendar_xml import definition_xml
from ews_schema import local
from ews_xml import M, T, EwsError, attr, esc, failure, read_id, response, success


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
    year = cal_zones.utc().local(call.mailbox.clock.now()).year
    out = []
    for ident in sorted(cal_zones.table()[0]):
        if wanted is None or ident in wanted:
            zone = cal_zones.find(ident)
            periods = definition_xml(zone, year) if full else ""
            name = attr(zone.name)
            out.append(f'<t:TimeZoneDefinition Id="{attr(ident)}" Name="{name}">{periods}</t:TimeZoneDefinition>')
    return response(
        "GetServerTimeZones",
        [success("GetServerTimeZones", f"<m:TimeZoneDefinitions>{''.join(out)}</m:TimeZoneDefinitions>")],
    )


@operation("GetUserConfiguration")
def get_user_configuration(call):
    element = call.child("UserConfigurationName")
    name = element.get("Name")
    if name == "OWA.UserOptions" and len(element) and call.folder(element[0]).kind == "root":
        return response("GetUserConfiguration", [success("GetUserConfiguration", owa_options(call, name))])
    return response(
        "GetUserConfiguration",
        [
            failure(
                "GetUserConfiguration",
                EwsError("ErrorItemNotFound", f"The user configuration object {name} could not be found."),
            )
        ],
    )


def owa_options(call, name):
    """What Outlook on the web keeps of a user: here the time zone alone."""
    pairs = (("timezone", call.options.mailbox_zone),)
    entries = "".join(
        f"<t:DictionaryEntry><t:DictionaryKey><t:Type>String</t:Type><t:Value>{key}</t:Value></t:DictionaryKey>"
        f"<t:DictionaryValue><t:Type>String</t:Type><t:Value>{esc(value)}</t:Value></t:DictionaryValue></t:DictionaryEntry>"
        for key, value in pairs
    )
    return (
        f'<m:UserConfiguration><t:UserConfigurationName Name="{name}"><t:DistinguishedFolderId Id="root"/>'
        f"</t:UserConfigurationName><t:Dictionary>{entries}</t:Dictionary></m:UserConfiguration>"
    )


@operation("GetServiceConfiguration")
def get_service_configuration(call):
    """MailTips alone, as Exchange answers it. Who acts must be named (ErrorInvalidArgument), by an SMTP address that is
    known; the limits are that sender's."""
    acting = call.child("ActingAs")
    wanted = {name.text.strip() for name in call.child("RequestedConfiguration")}
    if wanted != {"MailTips"}:
        raise EwsError("ErrorInvalidRequest", "This stand-in has the configuration of mail tips only.")
    fields = {local(e): (e.text or "").strip() for e in acting} if acting is not None else {}
    if not fields.get("RoutingType") or not fields.get("EmailAddress"):
        raise EwsError("ErrorInvalidArgument", "The ActingAs element is missing, or its RoutingType or EmailAddress.")
    address = fields["EmailAddress"].casefold()
    if address not in {user.mailbox.email.casefold() for user in call.app.store.users}:
        raise EwsError("ErrorInvalidArgument", "The ActingAs user was not found.")
    limit = call.options.max_send_kb * 1024 or 0x7FFFFFFF
    tips = (
        f"<t:MailTipsEnabled>true</t:MailTipsEnabled><t:MaxRecipientsPerGetMailTipsRequest>50"
        f"</t:MaxRecipientsPerGetMailTipsRequest><t:MaxMessageSize>{limit}</t:MaxMessageSize>"
        f"<t:LargeAudienceThreshold>25</t:LargeAudienceThreshold><t:ShowExternalRecipientCount>false"
        f"</t:ShowExternalRecipientCount><t:InternalDomains><t:Domain Name=\"{attr(address.split('@')[-1])}\" "
        f"IncludeSubdomains=\"false\"/></t:InternalDomains><t:PolicyTipsEnabled>false</t:PolicyTipsEnabled>"
        f"<t:LargeAudienceCap>1000</t:LargeAudienceCap>"
    )
    return (
        f'<m:GetServiceConfigurationResponse xmlns:m="{M}" xmlns:t="{T}" ResponseClass="Success"><m:ResponseCode>NoError'
        f"</m:ResponseCode><m:ResponseMessages><m:ServiceConfigurationResponseMessageType ResponseClass=\"Success\">"
        f"<m:ResponseCode>NoError</m:ResponseCode><m:MailTipsConfiguration>{tips}</m:MailTipsConfiguration>"
        f"</m:ServiceConfigurationResponseMessageType></m:ResponseMessages></m:GetServiceConfigurationResponse>"
    )


@operation("GetUserOofSettingsRequest")
def get_oof(call):
    return (
        f'<m:GetUserOofSettingsResponse xmlns:m="{M}" xmlns:t="{T}"><m:ResponseMessage ResponseClass="Success">'
        f"<m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><t:OofSettings><t:OofState>Disabled</t:OofState>"
        f"<t:ExternalAudience>All</t:ExternalAudience></t:OofSettings><m:AllowExternalOof>All</m:AllowExternalOof>"
        f"</m:GetUserOofSettingsResponse>"
    )

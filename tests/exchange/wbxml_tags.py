# SPDX-License-Identifier: Apache-2.0
"""The WBXML code pages of Exchange ActiveSync (MS-ASWBXML 2.1.2.1), protocol versions 2.5 to 16.1.

Each page lists its tags in token order; `0F:` sets the token of the next tag.  `@14.0` after a tag is the first
protocol version that has it, `@-14.1` the last.  Page 3 (AirNotify) is reserved and has no tags.
"""

PAGES = [
    (
        0,
        "AirSync",
        """
        05: Sync Responses Add Change Delete Fetch SyncKey ClientId ServerId Status Collection Class 12:
        CollectionId GetChanges MoreAvailable WindowSize Commands Options FilterType 1B: Conflict Collections
        ApplicationData DeletesAsMoves 20: Supported SoftDelete MIMESupport MIMETruncation Wait@12.1
        Limit@12.1 Partial@12.1 ConversationMode@14.0 MaxItems@14.0 HeartbeatInterval@14.0
    """,
    ),
    (
        1,
        "Contacts",
        """
        05: Anniversary 07: AssistantPhoneNumber Birthday 0C: Business2PhoneNumber BusinessAddressCity
        BusinessAddressCountry BusinessAddressPostalCode BusinessAddressState BusinessAddressStreet
        BusinessFaxNumber BusinessPhoneNumber CarPhoneNumber Categories Category Children Child CompanyName
        Department Email1Address Email2Address Email3Address FileAs FirstName Home2PhoneNumber HomeAddressCity
        HomeAddressCountry HomeAddressPostalCode HomeAddressState HomeAddressStreet HomeFaxNumber
        HomePhoneNumber JobTitle LastName MiddleName MobilePhoneNumber OfficeLocation OtherAddressCity
        OtherAddressCountry OtherAddressPostalCode OtherAddressState OtherAddressStreet PagerNumber
        RadioPhoneNumber Spouse Suffix Title WebPage YomiCompanyName YomiFirstName YomiLastName 3C: Picture
        Alias@14.0 WeightedRank@14.0
    """,
    ),
    (
        2,
        "Email",
        """
        0F: DateReceived 11: DisplayTo Importance MessageClass Subject Read To Cc From ReplyTo AllDayEvent
        Categories@14.0 Category@14.0 DtStamp EndTime InstanceType BusyStatus Location@-14.1 MeetingRequest
        Organizer RecurrenceId Reminder ResponseRequested Recurrences Recurrence Type Until Occurrences
        Interval DayOfWeek DayOfMonth WeekOfMonth MonthOfYear StartTime Sensitivity TimeZone GlobalObjId@-14.1
        ThreadTopic 39: InternetCPID Flag@12.0 Status@12.0 ContentClass@12.0 FlagType@12.0 CompleteTime@12.0
        DisallowNewTimeProposal@14.0
    """,
    ),
    (
        4,
        "Calendar",
        """
        05: Timezone AllDayEvent Attendees Attendee Email Name 0D: BusyStatus Categories Category 11: DtStamp
        EndTime Exception Exceptions Deleted ExceptionStartTime@-14.1 Location@-14.1 MeetingStatus
        OrganizerEmail OrganizerName Recurrence Type Until Occurrences Interval DayOfWeek DayOfMonth
        WeekOfMonth MonthOfYear Reminder Sensitivity Subject StartTime UID AttendeeStatus@12.0
        AttendeeType@12.0 33: DisallowNewTimeProposal@14.0 ResponseRequested@14.0 AppointmentReplyTime@14.0
        ResponseType@14.0 CalendarType@14.0 IsLeapMonth@14.0 FirstDayOfWeek@14.1 OnlineMeetingConfLink@14.1
        OnlineMeetingExternalLink@14.1 ClientUid@16.0
    """,
    ),
    (
        5,
        "Move",
        """
        05: MoveItems Move SrcMsgId SrcFldId DstFldId Response Status DstMsgId
    """,
    ),
    (
        6,
        "GetItemEstimate",
        """
        05: GetItemEstimate 07: Collections Collection Class@-12.1 CollectionId 0C: Estimate Response Status
    """,
    ),
    (
        7,
        "FolderHierarchy",
        """
        05: Folders@-12.1 Folder@-12.1 DisplayName ServerId ParentId Type 0C: Status 0E: Changes Add Delete
        Update SyncKey FolderCreate FolderDelete FolderUpdate FolderSync Count
    """,
    ),
    (
        8,
        "MeetingResponse",
        """
        05: CalendarId CollectionId MeetingResponse RequestId Request Result Status UserResponse 0E:
        InstanceId@14.1 10: ProposedStartTime@16.1 ProposedEndTime@16.1 SendResponse@16.0
    """,
    ),
    (
        9,
        "Tasks",
        """
        08: Categories Category Complete DateCompleted DueDate UtcDueDate Importance Recurrence Type Start
        Until Occurrences Interval DayOfMonth DayOfWeek WeekOfMonth MonthOfYear Regenerate DeadOccur
        ReminderSet ReminderTime Sensitivity StartDate UtcStartDate Subject 22: OrdinalDate@12.0
        SubOrdinalDate@12.0 CalendarType@14.0 IsLeapMonth@14.0 FirstDayOfWeek@14.1
    """,
    ),
    (
        10,
        "ResolveRecipients",
        """
        05: ResolveRecipients Response Status Type Recipient DisplayName EmailAddress Certificates Certificate
        MiniCertificate Options To CertificateRetrieval RecipientCount MaxCertificates MaxAmbiguousRecipients
        CertificateCount Availability@14.0 StartTime@14.0 EndTime@14.0 MergedFreeBusy@14.0 Picture@14.1
        MaxSize@14.1 Data@14.1 MaxPictures@14.1
    """,
    ),
    (
        11,
        "ValidateCert",
        """
        05: ValidateCert Certificates Certificate CertificateChain CheckCRL Status
    """,
    ),
    (
        12,
        "Contacts2",
        """
        05: CustomerId GovernmentId IMAddress IMAddress2 IMAddress3 ManagerName CompanyMainPhone AccountName
        NickName MMS
    """,
    ),
    (
        13,
        "Ping",
        """
        05: Ping 07: Status HeartbeatInterval Folders Folder Id Class MaxFolders
    """,
    ),
    (
        14,
        "Provision",
        """
        05: Provision Policies Policy PolicyType PolicyKey Data Status RemoteWipe EASProvisionDoc@12.0
        DevicePasswordEnabled@12.0 AlphanumericDevicePasswordRequired@12.0 RequireStorageCardEncryption@12.1
        PasswordRecoveryEnabled@12.0 13: AttachmentsEnabled@12.0 MinDevicePasswordLength@12.0
        MaxInactivityTimeDeviceLock@12.0 MaxDevicePasswordFailedAttempts@12.0 MaxAttachmentSize@12.0
        AllowSimpleDevicePassword@12.0 DevicePasswordExpiration@12.0 DevicePasswordHistory@12.0
        AllowStorageCard@12.1 AllowCamera@12.1 RequireDeviceEncryption@12.1 AllowUnsignedApplications@12.1
        AllowUnsignedInstallationPackages@12.1 MinDevicePasswordComplexCharacters@12.1 AllowWiFi@12.1
        AllowTextMessaging@12.1 AllowPOPIMAPEmail@12.1 AllowBluetooth@12.1 AllowIrDA@12.1
        RequireManualSyncWhenRoaming@12.1 AllowDesktopSync@12.1 MaxCalendarAgeFilter@12.1
        AllowHTMLEmail@12.1 MaxEmailAgeFilter@12.1 MaxEmailBodyTruncationSize@12.1
        MaxEmailHTMLBodyTruncationSize@12.1 RequireSignedSMIMEMessages@12.1 RequireEncryptedSMIMEMessages@12.1
        RequireSignedSMIMEAlgorithm@12.1 RequireEncryptionSMIMEAlgorithm@12.1
        AllowSMIMEEncryptionAlgorithmNegotiation@12.1 AllowSMIMESoftCerts@12.1 AllowBrowser@12.1
        AllowConsumerEmail@12.1 AllowRemoteDesktop@12.1 AllowInternetSharing@12.1
        UnapprovedInROMApplicationList@12.1 ApplicationName@12.1 ApprovedApplicationList@12.1 Hash@12.1
        AccountOnlyRemoteWipe@16.1
    """,
    ),
    (
        15,
        "Search",
        """
        05: Search 07: Store Name Query Options Range Status Response Result Properties Total EqualTo@12.0
        Value@12.0 And@12.0 Or@12.0 FreeText@12.0 17: DeepTraversal@12.0 LongId@12.0 RebuildResults@12.0
        LessThan@12.0 GreaterThan@12.0 1E: UserName@12.1 Password@12.1 ConversationId@14.0 Picture@14.1
        MaxSize@14.1 MaxPictures@14.1
    """,
    ),
    (
        16,
        "GAL",
        """
        05: DisplayName Phone Office Title Company Alias FirstName LastName HomePhone MobilePhone EmailAddress
        Picture@14.1 Status@14.1 Data@14.1
    """,
    ),
    (
        17,
        "AirSyncBase",
        """
        05: BodyPreference@12.0 Type@12.0 TruncationSize@12.0 AllOrNone@12.0 0A: Body@12.0 Data@12.0
        EstimatedDataSize@12.0 Truncated@12.0 Attachments@12.0 Attachment@12.0 DisplayName@12.0
        FileReference@12.0 Method@12.0 ContentId@12.0 ContentLocation@12.0 IsInline@12.0 NativeBodyType@12.0
        ContentType@12.0 Preview@14.0 BodyPartPreference@14.1 BodyPart@14.1 Status@14.1 Add@16.0 Delete@16.0
        ClientId@16.0 Content@16.0 Location@16.0 Annotation@16.0 Street@16.0 City@16.0 State@16.0 Country@16.0
        PostalCode@16.0 Latitude@16.0 Longitude@16.0 Accuracy@16.0 Altitude@16.0 AltitudeAccuracy@16.0
        LocationUri@16.0 InstanceId@16.0
    """,
    ),
    (
        18,
        "Settings",
        """
        05: Settings@12.0 Status@12.0 Get@12.0 Set@12.0 Oof@12.0 OofState@12.0 StartTime@12.0 EndTime@12.0
        OofMessage@12.0 AppliesToInternal@12.0 AppliesToExternalKnown@12.0 AppliesToExternalUnknown@12.0
        Enabled@12.0 ReplyMessage@12.0 BodyType@12.0 DevicePassword@12.0 Password@12.0 DeviceInformation@12.0
        Model@12.0 IMEI@12.0 FriendlyName@12.0 OS@12.0 OSLanguage@12.0 PhoneNumber@12.0 UserInformation@12.0
        EmailAddresses@12.0 SMTPAddress@12.0 UserAgent@12.1 EnableOutboundSMS@14.0 MobileOperator@14.0
        PrimarySmtpAddress@14.1 Accounts@14.1 Account@14.1 AccountId@14.1 AccountName@14.1
        UserDisplayName@14.1 SendDisabled@14.1 2B: RightsManagementInformation@14.1
    """,
    ),
    (
        19,
        "DocumentLibrary",
        """
        05: LinkId@12.0 DisplayName@12.0 IsFolder@12.0 CreationDate@12.0 LastModifiedDate@12.0 IsHidden@12.0
        ContentLength@12.0 ContentType@12.0
    """,
    ),
    (
        20,
        "ItemOperations",
        """
        05: ItemOperations@12.0 Fetch@12.0 Store@12.0 Options@12.0 Range@12.0 Total@12.0 Properties@12.0
        Data@12.0 Status@12.0 Response@12.0 Version@12.0 Schema@12.0 Part@12.0 EmptyFolderContents@12.0
        DeleteSubFolders@12.0 UserName@12.1 Password@12.1 Move@14.0 DstFldId@14.0 ConversationId@14.0
        MoveAlways@14.0
    """,
    ),
    (
        21,
        "ComposeMail",
        """
        05: SendMail@14.0 SmartForward@14.0 SmartReply@14.0 SaveInSentItems@14.0 ReplaceMime@14.0 0B:
        Source@14.0 FolderId@14.0 ItemId@14.0 LongId@14.0 InstanceId@14.0 Mime@14.0 ClientId@14.0 Status@14.0
        AccountId@14.1 15: Forwardees@16.0 Forwardee@16.0 Name@16.0 Email@16.0
    """,
    ),
    (
        22,
        "Email2",
        """
        05: UmCallerID@14.0 UmUserNotes@14.0 UmAttDuration@14.0 UmAttOrder@14.0 ConversationId@14.0
        ConversationIndex@14.0 LastVerbExecuted@14.0 LastVerbExecutionTime@14.0 ReceivedAsBcc@14.0 Sender@14.0
        CalendarType@14.0 IsLeapMonth@14.0 AccountId@14.1 FirstDayOfWeek@14.1 MeetingMessageType@14.1 15:
        IsDraft@16.0 Bcc@16.0 Send@16.0
    """,
    ),
    (
        23,
        "Notes",
        """
        05: Subject@14.0 MessageClass@14.0 LastModifiedDate@14.0 Categories@14.0 Category@14.0
    """,
    ),
    (
        24,
        "RightsManagement",
        """
        05: RightsManagementSupport@14.1 RightsManagementTemplates@14.1 RightsManagementTemplate@14.1
        RightsManagementLicense@14.1 EditAllowed@14.1 ReplyAllowed@14.1 ReplyAllAllowed@14.1
        ForwardAllowed@14.1 ModifyRecipientsAllowed@14.1 ExtractAllowed@14.1 PrintAllowed@14.1
        ExportAllowed@14.1 ProgrammaticAccessAllowed@14.1 Owner@14.1 ContentExpiryDate@14.1 TemplateID@14.1
        TemplateName@14.1 TemplateDescription@14.1 ContentOwner@14.1 RemoveRightsManagementProtection@14.1
    """,
    ),
    (
        25,
        "Find",
        """
        05: Find@16.1 SearchId@16.1 ExecuteSearch@16.1 MailBoxSearchCriterion@16.1 Query@16.1 Status@16.1
        FreeText@16.1 Options@16.1 Range@16.1 DeepTraversal@16.1 11: Response@16.1 Result@16.1 Properties@16.1
        Preview@16.1 HasAttachments@16.1 Total@16.1 DisplayCc@16.1 DisplayBcc@16.1 GalSearchCriterion@16.1 20:
        MaxPictures@16.1 MaxSize@16.1 Picture@16.1
    """,
    ),
]

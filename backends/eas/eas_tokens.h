/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_TOKENS_H
#define BACKENDS_EAS_TOKENS_H
/*
 * The WBXML code pages of Exchange ActiveSync, protocol versions 12.0 to 16.1 (MS-ASWBXML 2.1.2.1). A tag is named by
 * one number, page << 8 | token, and written Namespace_Tag: AirSync_SyncKey is 0x000B. 0 is never a tag. Page 3 is
 * reserved.
 */
#include <stdint.h>

#define EAS_PAGE_MAX  25
#define EAS_TOKEN_MIN 0x05
#define EAS_TOKEN_MAX 0x3F

/* "AirSync:SyncKey" is eas_tag_space() and eas_tag_name(); "" for what the tables do not have. For error texts and
 * tests. */
const char *eas_tag_name(unsigned tag);
const char *eas_tag_space(unsigned tag);

/* clang-format off */
#define EAS_PAGE_0(X) \
    X(AirSync, 0x0005, Sync) X(AirSync, 0x0006, Responses) X(AirSync, 0x0007, Add) X(AirSync, 0x0008, Change) \
    X(AirSync, 0x0009, Delete) X(AirSync, 0x000A, Fetch) X(AirSync, 0x000B, SyncKey) \
    X(AirSync, 0x000C, ClientId) X(AirSync, 0x000D, ServerId) X(AirSync, 0x000E, Status) \
    X(AirSync, 0x000F, Collection) X(AirSync, 0x0010, Class) X(AirSync, 0x0012, CollectionId) \
    X(AirSync, 0x0013, GetChanges) X(AirSync, 0x0014, MoreAvailable) X(AirSync, 0x0015, WindowSize) \
    X(AirSync, 0x0016, Commands) X(AirSync, 0x0017, Options) X(AirSync, 0x0018, FilterType) \
    X(AirSync, 0x001B, Conflict) X(AirSync, 0x001C, Collections) X(AirSync, 0x001D, ApplicationData) \
    X(AirSync, 0x001E, DeletesAsMoves) X(AirSync, 0x0020, Supported) X(AirSync, 0x0021, SoftDelete) \
    X(AirSync, 0x0022, MIMESupport) X(AirSync, 0x0023, MIMETruncation) X(AirSync, 0x0024, Wait) \
    X(AirSync, 0x0025, Limit) X(AirSync, 0x0026, Partial) X(AirSync, 0x0027, ConversationMode) \
    X(AirSync, 0x0028, MaxItems) X(AirSync, 0x0029, HeartbeatInterval)
#define EAS_PAGE_1(X) \
    X(Contacts, 0x0105, Anniversary) X(Contacts, 0x0107, AssistantPhoneNumber) X(Contacts, 0x0108, Birthday) \
    X(Contacts, 0x010C, Business2PhoneNumber) X(Contacts, 0x010D, BusinessAddressCity) \
    X(Contacts, 0x010E, BusinessAddressCountry) X(Contacts, 0x010F, BusinessAddressPostalCode) \
    X(Contacts, 0x0110, BusinessAddressState) X(Contacts, 0x0111, BusinessAddressStreet) \
    X(Contacts, 0x0112, BusinessFaxNumber) X(Contacts, 0x0113, BusinessPhoneNumber) \
    X(Contacts, 0x0114, CarPhoneNumber) X(Contacts, 0x0115, Categories) X(Contacts, 0x0116, Category) \
    X(Contacts, 0x0117, Children) X(Contacts, 0x0118, Child) X(Contacts, 0x0119, CompanyName) \
    X(Contacts, 0x011A, Department) X(Contacts, 0x011B, Email1Address) X(Contacts, 0x011C, Email2Address) \
    X(Contacts, 0x011D, Email3Address) X(Contacts, 0x011E, FileAs) X(Contacts, 0x011F, FirstName) \
    X(Contacts, 0x0120, Home2PhoneNumber) X(Contacts, 0x0121, HomeAddressCity) \
    X(Contacts, 0x0122, HomeAddressCountry) X(Contacts, 0x0123, HomeAddressPostalCode) \
    X(Contacts, 0x0124, HomeAddressState) X(Contacts, 0x0125, HomeAddressStreet) \
    X(Contacts, 0x0126, HomeFaxNumber) X(Contacts, 0x0127, HomePhoneNumber) X(Contacts, 0x0128, JobTitle) \
    X(Contacts, 0x0129, LastName) X(Contacts, 0x012A, MiddleName) X(Contacts, 0x012B, MobilePhoneNumber) \
    X(Contacts, 0x012C, OfficeLocation) X(Contacts, 0x012D, OtherAddressCity) \
    X(Contacts, 0x012E, OtherAddressCountry) X(Contacts, 0x012F, OtherAddressPostalCode) \
    X(Contacts, 0x0130, OtherAddressState) X(Contacts, 0x0131, OtherAddressStreet) \
    X(Contacts, 0x0132, PagerNumber) X(Contacts, 0x0133, RadioPhoneNumber) X(Contacts, 0x0134, Spouse) \
    X(Contacts, 0x0135, Suffix) X(Contacts, 0x0136, Title) X(Contacts, 0x0137, WebPage) \
    X(Contacts, 0x0138, YomiCompanyName) X(Contacts, 0x0139, YomiFirstName) X(Contacts, 0x013A, YomiLastName) \
    X(Contacts, 0x013C, Picture) X(Contacts, 0x013D, Alias) X(Contacts, 0x013E, WeightedRank)
#define EAS_PAGE_2(X) \
    X(Email, 0x020F, DateReceived) X(Email, 0x0211, DisplayTo) X(Email, 0x0212, Importance) \
    X(Email, 0x0213, MessageClass) X(Email, 0x0214, Subject) X(Email, 0x0215, Read) X(Email, 0x0216, To) \
    X(Email, 0x0217, Cc) X(Email, 0x0218, From) X(Email, 0x0219, ReplyTo) X(Email, 0x021A, AllDayEvent) \
    X(Email, 0x021B, Categories) X(Email, 0x021C, Category) X(Email, 0x021D, DtStamp) X(Email, 0x021E, EndTime) \
    X(Email, 0x021F, InstanceType) X(Email, 0x0220, BusyStatus) X(Email, 0x0221, Location) \
    X(Email, 0x0222, MeetingRequest) X(Email, 0x0223, Organizer) X(Email, 0x0224, RecurrenceId) \
    X(Email, 0x0225, Reminder) X(Email, 0x0226, ResponseRequested) X(Email, 0x0227, Recurrences) \
    X(Email, 0x0228, Recurrence) X(Email, 0x0229, Type) X(Email, 0x022A, Until) X(Email, 0x022B, Occurrences) \
    X(Email, 0x022C, Interval) X(Email, 0x022D, DayOfWeek) X(Email, 0x022E, DayOfMonth) \
    X(Email, 0x022F, WeekOfMonth) X(Email, 0x0230, MonthOfYear) X(Email, 0x0231, StartTime) \
    X(Email, 0x0232, Sensitivity) X(Email, 0x0233, TimeZone) X(Email, 0x0234, GlobalObjId) \
    X(Email, 0x0235, ThreadTopic) X(Email, 0x0239, InternetCPID) X(Email, 0x023A, Flag) X(Email, 0x023B, Status) \
    X(Email, 0x023C, ContentClass) X(Email, 0x023D, FlagType) X(Email, 0x023E, CompleteTime) \
    X(Email, 0x023F, DisallowNewTimeProposal)
#define EAS_PAGE_4(X) \
    X(Calendar, 0x0405, Timezone) X(Calendar, 0x0406, AllDayEvent) X(Calendar, 0x0407, Attendees) \
    X(Calendar, 0x0408, Attendee) X(Calendar, 0x0409, Email) X(Calendar, 0x040A, Name) \
    X(Calendar, 0x040D, BusyStatus) X(Calendar, 0x040E, Categories) X(Calendar, 0x040F, Category) \
    X(Calendar, 0x0411, DtStamp) X(Calendar, 0x0412, EndTime) X(Calendar, 0x0413, Exception) \
    X(Calendar, 0x0414, Exceptions) X(Calendar, 0x0415, Deleted) X(Calendar, 0x0416, ExceptionStartTime) \
    X(Calendar, 0x0417, Location) X(Calendar, 0x0418, MeetingStatus) X(Calendar, 0x0419, OrganizerEmail) \
    X(Calendar, 0x041A, OrganizerName) X(Calendar, 0x041B, Recurrence) X(Calendar, 0x041C, Type) \
    X(Calendar, 0x041D, Until) X(Calendar, 0x041E, Occurrences) X(Calendar, 0x041F, Interval) \
    X(Calendar, 0x0420, DayOfWeek) X(Calendar, 0x0421, DayOfMonth) X(Calendar, 0x0422, WeekOfMonth) \
    X(Calendar, 0x0423, MonthOfYear) X(Calendar, 0x0424, Reminder) X(Calendar, 0x0425, Sensitivity) \
    X(Calendar, 0x0426, Subject) X(Calendar, 0x0427, StartTime) X(Calendar, 0x0428, UID) \
    X(Calendar, 0x0429, AttendeeStatus) X(Calendar, 0x042A, AttendeeType) \
    X(Calendar, 0x0433, DisallowNewTimeProposal) X(Calendar, 0x0434, ResponseRequested) \
    X(Calendar, 0x0435, AppointmentReplyTime) X(Calendar, 0x0436, ResponseType) \
    X(Calendar, 0x0437, CalendarType) X(Calendar, 0x0438, IsLeapMonth) X(Calendar, 0x0439, FirstDayOfWeek) \
    X(Calendar, 0x043A, OnlineMeetingConfLink) X(Calendar, 0x043B, OnlineMeetingExternalLink) \
    X(Calendar, 0x043C, ClientUid)
#define EAS_PAGE_5(X) \
    X(Move, 0x0505, MoveItems) X(Move, 0x0506, Move) X(Move, 0x0507, SrcMsgId) X(Move, 0x0508, SrcFldId) \
    X(Move, 0x0509, DstFldId) X(Move, 0x050A, Response) X(Move, 0x050B, Status) X(Move, 0x050C, DstMsgId)
#define EAS_PAGE_6(X) \
    X(GetItemEstimate, 0x0605, GetItemEstimate) X(GetItemEstimate, 0x0607, Collections) \
    X(GetItemEstimate, 0x0608, Collection) X(GetItemEstimate, 0x0609, Class) \
    X(GetItemEstimate, 0x060A, CollectionId) X(GetItemEstimate, 0x060C, Estimate) \
    X(GetItemEstimate, 0x060D, Response) X(GetItemEstimate, 0x060E, Status)
#define EAS_PAGE_7(X) \
    X(FolderHierarchy, 0x0705, Folders) X(FolderHierarchy, 0x0706, Folder) \
    X(FolderHierarchy, 0x0707, DisplayName) X(FolderHierarchy, 0x0708, ServerId) \
    X(FolderHierarchy, 0x0709, ParentId) X(FolderHierarchy, 0x070A, Type) X(FolderHierarchy, 0x070C, Status) \
    X(FolderHierarchy, 0x070E, Changes) X(FolderHierarchy, 0x070F, Add) X(FolderHierarchy, 0x0710, Delete) \
    X(FolderHierarchy, 0x0711, Update) X(FolderHierarchy, 0x0712, SyncKey) \
    X(FolderHierarchy, 0x0713, FolderCreate) X(FolderHierarchy, 0x0714, FolderDelete) \
    X(FolderHierarchy, 0x0715, FolderUpdate) X(FolderHierarchy, 0x0716, FolderSync) \
    X(FolderHierarchy, 0x0717, Count)
#define EAS_PAGE_8(X) \
    X(MeetingResponse, 0x0805, CalendarId) X(MeetingResponse, 0x0806, CollectionId) \
    X(MeetingResponse, 0x0807, MeetingResponse) X(MeetingResponse, 0x0808, RequestId) \
    X(MeetingResponse, 0x0809, Request) X(MeetingResponse, 0x080A, Result) X(MeetingResponse, 0x080B, Status) \
    X(MeetingResponse, 0x080C, UserResponse) X(MeetingResponse, 0x080E, InstanceId) \
    X(MeetingResponse, 0x0810, ProposedStartTime) X(MeetingResponse, 0x0811, ProposedEndTime) \
    X(MeetingResponse, 0x0812, SendResponse)
#define EAS_PAGE_9(X) \
    X(Tasks, 0x0908, Categories) X(Tasks, 0x0909, Category) X(Tasks, 0x090A, Complete) \
    X(Tasks, 0x090B, DateCompleted) X(Tasks, 0x090C, DueDate) X(Tasks, 0x090D, UtcDueDate) \
    X(Tasks, 0x090E, Importance) X(Tasks, 0x090F, Recurrence) X(Tasks, 0x0910, Type) X(Tasks, 0x0911, Start) \
    X(Tasks, 0x0912, Until) X(Tasks, 0x0913, Occurrences) X(Tasks, 0x0914, Interval) \
    X(Tasks, 0x0915, DayOfMonth) X(Tasks, 0x0916, DayOfWeek) X(Tasks, 0x0917, WeekOfMonth) \
    X(Tasks, 0x0918, MonthOfYear) X(Tasks, 0x0919, Regenerate) X(Tasks, 0x091A, DeadOccur) \
    X(Tasks, 0x091B, ReminderSet) X(Tasks, 0x091C, ReminderTime) X(Tasks, 0x091D, Sensitivity) \
    X(Tasks, 0x091E, StartDate) X(Tasks, 0x091F, UtcStartDate) X(Tasks, 0x0920, Subject) \
    X(Tasks, 0x0922, OrdinalDate) X(Tasks, 0x0923, SubOrdinalDate) X(Tasks, 0x0924, CalendarType) \
    X(Tasks, 0x0925, IsLeapMonth) X(Tasks, 0x0926, FirstDayOfWeek)
#define EAS_PAGE_10(X) \
    X(ResolveRecipients, 0x0A05, ResolveRecipients) X(ResolveRecipients, 0x0A06, Response) \
    X(ResolveRecipients, 0x0A07, Status) X(ResolveRecipients, 0x0A08, Type) \
    X(ResolveRecipients, 0x0A09, Recipient) X(ResolveRecipients, 0x0A0A, DisplayName) \
    X(ResolveRecipients, 0x0A0B, EmailAddress) X(ResolveRecipients, 0x0A0C, Certificates) \
    X(ResolveRecipients, 0x0A0D, Certificate) X(ResolveRecipients, 0x0A0E, MiniCertificate) \
    X(ResolveRecipients, 0x0A0F, Options) X(ResolveRecipients, 0x0A10, To) \
    X(ResolveRecipients, 0x0A11, CertificateRetrieval) X(ResolveRecipients, 0x0A12, RecipientCount) \
    X(ResolveRecipients, 0x0A13, MaxCertificates) X(ResolveRecipients, 0x0A14, MaxAmbiguousRecipients) \
    X(ResolveRecipients, 0x0A15, CertificateCount) X(ResolveRecipients, 0x0A16, Availability) \
    X(ResolveRecipients, 0x0A17, StartTime) X(ResolveRecipients, 0x0A18, EndTime) \
    X(ResolveRecipients, 0x0A19, MergedFreeBusy) X(ResolveRecipients, 0x0A1A, Picture) \
    X(ResolveRecipients, 0x0A1B, MaxSize) X(ResolveRecipients, 0x0A1C, Data) \
    X(ResolveRecipients, 0x0A1D, MaxPictures)
#define EAS_PAGE_11(X) \
    X(ValidateCert, 0x0B05, ValidateCert) X(ValidateCert, 0x0B06, Certificates) \
    X(ValidateCert, 0x0B07, Certificate) X(ValidateCert, 0x0B08, CertificateChain) \
    X(ValidateCert, 0x0B09, CheckCRL) X(ValidateCert, 0x0B0A, Status)
#define EAS_PAGE_12(X) \
    X(Contacts2, 0x0C05, CustomerId) X(Contacts2, 0x0C06, GovernmentId) X(Contacts2, 0x0C07, IMAddress) \
    X(Contacts2, 0x0C08, IMAddress2) X(Contacts2, 0x0C09, IMAddress3) X(Contacts2, 0x0C0A, ManagerName) \
    X(Contacts2, 0x0C0B, CompanyMainPhone) X(Contacts2, 0x0C0C, AccountName) X(Contacts2, 0x0C0D, NickName) \
    X(Contacts2, 0x0C0E, MMS)
#define EAS_PAGE_13(X) \
    X(Ping, 0x0D05, Ping) X(Ping, 0x0D07, Status) X(Ping, 0x0D08, HeartbeatInterval) X(Ping, 0x0D09, Folders) \
    X(Ping, 0x0D0A, Folder) X(Ping, 0x0D0B, Id) X(Ping, 0x0D0C, Class) X(Ping, 0x0D0D, MaxFolders)
#define EAS_PAGE_14(X) \
    X(Provision, 0x0E05, Provision) X(Provision, 0x0E06, Policies) X(Provision, 0x0E07, Policy) \
    X(Provision, 0x0E08, PolicyType) X(Provision, 0x0E09, PolicyKey) X(Provision, 0x0E0A, Data) \
    X(Provision, 0x0E0B, Status) X(Provision, 0x0E0C, RemoteWipe) X(Provision, 0x0E0D, EASProvisionDoc) \
    X(Provision, 0x0E0E, DevicePasswordEnabled) X(Provision, 0x0E0F, AlphanumericDevicePasswordRequired) \
    X(Provision, 0x0E10, RequireStorageCardEncryption) X(Provision, 0x0E11, PasswordRecoveryEnabled) \
    X(Provision, 0x0E13, AttachmentsEnabled) X(Provision, 0x0E14, MinDevicePasswordLength) \
    X(Provision, 0x0E15, MaxInactivityTimeDeviceLock) X(Provision, 0x0E16, MaxDevicePasswordFailedAttempts) \
    X(Provision, 0x0E17, MaxAttachmentSize) X(Provision, 0x0E18, AllowSimpleDevicePassword) \
    X(Provision, 0x0E19, DevicePasswordExpiration) X(Provision, 0x0E1A, DevicePasswordHistory) \
    X(Provision, 0x0E1B, AllowStorageCard) X(Provision, 0x0E1C, AllowCamera) \
    X(Provision, 0x0E1D, RequireDeviceEncryption) X(Provision, 0x0E1E, AllowUnsignedApplications) \
    X(Provision, 0x0E1F, AllowUnsignedInstallationPackages) \
    X(Provision, 0x0E20, MinDevicePasswordComplexCharacters) X(Provision, 0x0E21, AllowWiFi) \
    X(Provision, 0x0E22, AllowTextMessaging) X(Provision, 0x0E23, AllowPOPIMAPEmail) \
    X(Provision, 0x0E24, AllowBluetooth) X(Provision, 0x0E25, AllowIrDA) \
    X(Provision, 0x0E26, RequireManualSyncWhenRoaming) X(Provision, 0x0E27, AllowDesktopSync) \
    X(Provision, 0x0E28, MaxCalendarAgeFilter) X(Provision, 0x0E29, AllowHTMLEmail) \
    X(Provision, 0x0E2A, MaxEmailAgeFilter) X(Provision, 0x0E2B, MaxEmailBodyTruncationSize) \
    X(Provision, 0x0E2C, MaxEmailHTMLBodyTruncationSize) X(Provision, 0x0E2D, RequireSignedSMIMEMessages) \
    X(Provision, 0x0E2E, RequireEncryptedSMIMEMessages) X(Provision, 0x0E2F, RequireSignedSMIMEAlgorithm) \
    X(Provision, 0x0E30, RequireEncryptionSMIMEAlgorithm) \
    X(Provision, 0x0E31, AllowSMIMEEncryptionAlgorithmNegotiation) X(Provision, 0x0E32, AllowSMIMESoftCerts) \
    X(Provision, 0x0E33, AllowBrowser) X(Provision, 0x0E34, AllowConsumerEmail) \
    X(Provision, 0x0E35, AllowRemoteDesktop) X(Provision, 0x0E36, AllowInternetSharing) \
    X(Provision, 0x0E37, UnapprovedInROMApplicationList) X(Provision, 0x0E38, ApplicationName) \
    X(Provision, 0x0E39, ApprovedApplicationList) X(Provision, 0x0E3A, Hash) \
    X(Provision, 0x0E3B, AccountOnlyRemoteWipe)
#define EAS_PAGE_15(X) \
    X(Search, 0x0F05, Search) X(Search, 0x0F07, Store) X(Search, 0x0F08, Name) X(Search, 0x0F09, Query) \
    X(Search, 0x0F0A, Options) X(Search, 0x0F0B, Range) X(Search, 0x0F0C, Status) X(Search, 0x0F0D, Response) \
    X(Search, 0x0F0E, Result) X(Search, 0x0F0F, Properties) X(Search, 0x0F10, Total) X(Search, 0x0F11, EqualTo) \
    X(Search, 0x0F12, Value) X(Search, 0x0F13, And) X(Search, 0x0F14, Or) X(Search, 0x0F15, FreeText) \
    X(Search, 0x0F17, DeepTraversal) X(Search, 0x0F18, LongId) X(Search, 0x0F19, RebuildResults) \
    X(Search, 0x0F1A, LessThan) X(Search, 0x0F1B, GreaterThan) X(Search, 0x0F1E, UserName) \
    X(Search, 0x0F1F, Password) X(Search, 0x0F20, ConversationId) X(Search, 0x0F21, Picture) \
    X(Search, 0x0F22, MaxSize) X(Search, 0x0F23, MaxPictures)
#define EAS_PAGE_16(X) \
    X(GAL, 0x1005, DisplayName) X(GAL, 0x1006, Phone) X(GAL, 0x1007, Office) X(GAL, 0x1008, Title) \
    X(GAL, 0x1009, Company) X(GAL, 0x100A, Alias) X(GAL, 0x100B, FirstName) X(GAL, 0x100C, LastName) \
    X(GAL, 0x100D, HomePhone) X(GAL, 0x100E, MobilePhone) X(GAL, 0x100F, EmailAddress) X(GAL, 0x1010, Picture) \
    X(GAL, 0x1011, Status) X(GAL, 0x1012, Data)
#define EAS_PAGE_17(X) \
    X(AirSyncBase, 0x1105, BodyPreference) X(AirSyncBase, 0x1106, Type) X(AirSyncBase, 0x1107, TruncationSize) \
    X(AirSyncBase, 0x1108, AllOrNone) X(AirSyncBase, 0x110A, Body) X(AirSyncBase, 0x110B, Data) \
    X(AirSyncBase, 0x110C, EstimatedDataSize) X(AirSyncBase, 0x110D, Truncated) \
    X(AirSyncBase, 0x110E, Attachments) X(AirSyncBase, 0x110F, Attachment) X(AirSyncBase, 0x1110, DisplayName) \
    X(AirSyncBase, 0x1111, FileReference) X(AirSyncBase, 0x1112, Method) X(AirSyncBase, 0x1113, ContentId) \
    X(AirSyncBase, 0x1114, ContentLocation) X(AirSyncBase, 0x1115, IsInline) \
    X(AirSyncBase, 0x1116, NativeBodyType) X(AirSyncBase, 0x1117, ContentType) X(AirSyncBase, 0x1118, Preview) \
    X(AirSyncBase, 0x1119, BodyPartPreference) X(AirSyncBase, 0x111A, BodyPart) X(AirSyncBase, 0x111B, Status) \
    X(AirSyncBase, 0x111C, Add) X(AirSyncBase, 0x111D, Delete) X(AirSyncBase, 0x111E, ClientId) \
    X(AirSyncBase, 0x111F, Content) X(AirSyncBase, 0x1120, Location) X(AirSyncBase, 0x1121, Annotation) \
    X(AirSyncBase, 0x1122, Street) X(AirSyncBase, 0x1123, City) X(AirSyncBase, 0x1124, State) \
    X(AirSyncBase, 0x1125, Country) X(AirSyncBase, 0x1126, PostalCode) X(AirSyncBase, 0x1127, Latitude) \
    X(AirSyncBase, 0x1128, Longitude) X(AirSyncBase, 0x1129, Accuracy) X(AirSyncBase, 0x112A, Altitude) \
    X(AirSyncBase, 0x112B, AltitudeAccuracy) X(AirSyncBase, 0x112C, LocationUri) \
    X(AirSyncBase, 0x112D, InstanceId)
#define EAS_PAGE_18(X) \
    X(Settings, 0x1205, Settings) X(Settings, 0x1206, Status) X(Settings, 0x1207, Get) X(Settings, 0x1208, Set) \
    X(Settings, 0x1209, Oof) X(Settings, 0x120A, OofState) X(Settings, 0x120B, StartTime) \
    X(Settings, 0x120C, EndTime) X(Settings, 0x120D, OofMessage) X(Settings, 0x120E, AppliesToInternal) \
    X(Settings, 0x120F, AppliesToExternalKnown) X(Settings, 0x1210, AppliesToExternalUnknown) \
    X(Settings, 0x1211, Enabled) X(Settings, 0x1212, ReplyMessage) X(Settings, 0x1213, BodyType) \
    X(Settings, 0x1214, DevicePassword) X(Settings, 0x1215, Password) X(Settings, 0x1216, DeviceInformation) \
    X(Settings, 0x1217, Model) X(Settings, 0x1218, IMEI) X(Settings, 0x1219, FriendlyName) \
    X(Settings, 0x121A, OS) X(Settings, 0x121B, OSLanguage) X(Settings, 0x121C, PhoneNumber) \
    X(Settings, 0x121D, UserInformation) X(Settings, 0x121E, EmailAddresses) X(Settings, 0x121F, SMTPAddress) \
    X(Settings, 0x1220, UserAgent) X(Settings, 0x1221, EnableOutboundSMS) X(Settings, 0x1222, MobileOperator) \
    X(Settings, 0x1223, PrimarySmtpAddress) X(Settings, 0x1224, Accounts) X(Settings, 0x1225, Account) \
    X(Settings, 0x1226, AccountId) X(Settings, 0x1227, AccountName) X(Settings, 0x1228, UserDisplayName) \
    X(Settings, 0x1229, SendDisabled) X(Settings, 0x122B, RightsManagementInformation)
#define EAS_PAGE_19(X) \
    X(DocumentLibrary, 0x1305, LinkId) X(DocumentLibrary, 0x1306, DisplayName) \
    X(DocumentLibrary, 0x1307, IsFolder) X(DocumentLibrary, 0x1308, CreationDate) \
    X(DocumentLibrary, 0x1309, LastModifiedDate) X(DocumentLibrary, 0x130A, IsHidden) \
    X(DocumentLibrary, 0x130B, ContentLength) X(DocumentLibrary, 0x130C, ContentType)
#define EAS_PAGE_20(X) \
    X(ItemOperations, 0x1405, ItemOperations) X(ItemOperations, 0x1406, Fetch) X(ItemOperations, 0x1407, Store) \
    X(ItemOperations, 0x1408, Options) X(ItemOperations, 0x1409, Range) X(ItemOperations, 0x140A, Total) \
    X(ItemOperations, 0x140B, Properties) X(ItemOperations, 0x140C, Data) X(ItemOperations, 0x140D, Status) \
    X(ItemOperations, 0x140E, Response) X(ItemOperations, 0x140F, Version) X(ItemOperations, 0x1410, Schema) \
    X(ItemOperations, 0x1411, Part) X(ItemOperations, 0x1412, EmptyFolderContents) \
    X(ItemOperations, 0x1413, DeleteSubFolders) X(ItemOperations, 0x1414, UserName) \
    X(ItemOperations, 0x1415, Password) X(ItemOperations, 0x1416, Move) X(ItemOperations, 0x1417, DstFldId) \
    X(ItemOperations, 0x1418, ConversationId) X(ItemOperations, 0x1419, MoveAlways)
#define EAS_PAGE_21(X) \
    X(ComposeMail, 0x1505, SendMail) X(ComposeMail, 0x1506, SmartForward) X(ComposeMail, 0x1507, SmartReply) \
    X(ComposeMail, 0x1508, SaveInSentItems) X(ComposeMail, 0x1509, ReplaceMime) X(ComposeMail, 0x150B, Source) \
    X(ComposeMail, 0x150C, FolderId) X(ComposeMail, 0x150D, ItemId) X(ComposeMail, 0x150E, LongId) \
    X(ComposeMail, 0x150F, InstanceId) X(ComposeMail, 0x1510, Mime) X(ComposeMail, 0x1511, ClientId) \
    X(ComposeMail, 0x1512, Status) X(ComposeMail, 0x1513, AccountId) X(ComposeMail, 0x1515, Forwardees) \
    X(ComposeMail, 0x1516, Forwardee) X(ComposeMail, 0x1517, Name) X(ComposeMail, 0x1518, Email)
#define EAS_PAGE_22(X) \
    X(Email2, 0x1605, UmCallerID) X(Email2, 0x1606, UmUserNotes) X(Email2, 0x1607, UmAttDuration) \
    X(Email2, 0x1608, UmAttOrder) X(Email2, 0x1609, ConversationId) X(Email2, 0x160A, ConversationIndex) \
    X(Email2, 0x160B, LastVerbExecuted) X(Email2, 0x160C, LastVerbExecutionTime) \
    X(Email2, 0x160D, ReceivedAsBcc) X(Email2, 0x160E, Sender) X(Email2, 0x160F, CalendarType) \
    X(Email2, 0x1610, IsLeapMonth) X(Email2, 0x1611, AccountId) X(Email2, 0x1612, FirstDayOfWeek) \
    X(Email2, 0x1613, MeetingMessageType) X(Email2, 0x1615, IsDraft) X(Email2, 0x1616, Bcc) \
    X(Email2, 0x1617, Send)
#define EAS_PAGE_23(X) \
    X(Notes, 0x1705, Subject) X(Notes, 0x1706, MessageClass) X(Notes, 0x1707, LastModifiedDate) \
    X(Notes, 0x1708, Categories) X(Notes, 0x1709, Category)
#define EAS_PAGE_24(X) \
    X(RightsManagement, 0x1805, RightsManagementSupport) X(RightsManagement, 0x1806, RightsManagementTemplates) \
    X(RightsManagement, 0x1807, RightsManagementTemplate) X(RightsManagement, 0x1808, RightsManagementLicense) \
    X(RightsManagement, 0x1809, EditAllowed) X(RightsManagement, 0x180A, ReplyAllowed) \
    X(RightsManagement, 0x180B, ReplyAllAllowed) X(RightsManagement, 0x180C, ForwardAllowed) \
    X(RightsManagement, 0x180D, ModifyRecipientsAllowed) X(RightsManagement, 0x180E, ExtractAllowed) \
    X(RightsManagement, 0x180F, PrintAllowed) X(RightsManagement, 0x1810, ExportAllowed) \
    X(RightsManagement, 0x1811, ProgrammaticAccessAllowed) X(RightsManagement, 0x1812, Owner) \
    X(RightsManagement, 0x1813, ContentExpiryDate) X(RightsManagement, 0x1814, TemplateID) \
    X(RightsManagement, 0x1815, TemplateName) X(RightsManagement, 0x1816, TemplateDescription) \
    X(RightsManagement, 0x1817, ContentOwner) X(RightsManagement, 0x1818, RemoveRightsManagementProtection)
#define EAS_PAGE_25(X) \
    X(Find, 0x1905, Find) X(Find, 0x1906, SearchId) X(Find, 0x1907, ExecuteSearch) \
    X(Find, 0x1908, MailBoxSearchCriterion) X(Find, 0x1909, Query) X(Find, 0x190A, Status) \
    X(Find, 0x190B, FreeText) X(Find, 0x190C, Options) X(Find, 0x190D, Range) X(Find, 0x190E, DeepTraversal) \
    X(Find, 0x1911, Response) X(Find, 0x1912, Result) X(Find, 0x1913, Properties) X(Find, 0x1914, Preview) \
    X(Find, 0x1915, HasAttachments) X(Find, 0x1916, Total) X(Find, 0x1917, DisplayCc) \
    X(Find, 0x1918, DisplayBcc) X(Find, 0x1919, GalSearchCriterion) X(Find, 0x1920, MaxPictures) \
    X(Find, 0x1921, MaxSize) X(Find, 0x1922, Picture)
#define EAS_PAGES(X) \
    EAS_PAGE_0(X) EAS_PAGE_1(X) EAS_PAGE_2(X) EAS_PAGE_4(X) EAS_PAGE_5(X) EAS_PAGE_6(X) \
    EAS_PAGE_7(X) EAS_PAGE_8(X) EAS_PAGE_9(X) EAS_PAGE_10(X) EAS_PAGE_11(X) EAS_PAGE_12(X) \
    EAS_PAGE_13(X) EAS_PAGE_14(X) EAS_PAGE_15(X) EAS_PAGE_16(X) EAS_PAGE_17(X) EAS_PAGE_18(X) \
    EAS_PAGE_19(X) EAS_PAGE_20(X) EAS_PAGE_21(X) EAS_PAGE_22(X) EAS_PAGE_23(X) EAS_PAGE_24(X) \
    EAS_PAGE_25(X)
/* clang-format on */

enum eas_tag {
    EAS_NO_TAG = 0,
#define EAS_TAG_ENUM(space, number, name) space##_##name = (number),
    EAS_PAGES(EAS_TAG_ENUM)
#undef EAS_TAG_ENUM
};

#endif

//! What a status code says of a value, and of a write. Pure.

use geminus_core::Quality;
use opcua::types::StatusCode;

/// The bits that have names; the others tell more of a value.
const SUB_CODE: u32 = 0xffff_0000;

/// Quality of a value with a status code: the two highest of its 32 bits decide. 00 is good, 01 uncertain, 10 bad; 11 is
/// reserved and to be taken for bad (OPC UA part 4, 7.39). A server leaves out the status of a good value: 0.
#[must_use]
pub fn quality(code: u32) -> Quality {
    match code >> 30 {
        0 => Quality::Good,
        1 => Quality::Uncertain,
        _ => Quality::Bad,
    }
}

/// Whether a value says that others before it went down with a queue of the server that ran over: bit 7, of codes whose type of
/// information is that of a data value (OPC UA part 4, 7.39), and of servers that leave that type out.
pub(crate) fn overflowed(code: u32) -> bool {
    let (info_type, overflow) = (code & 0x0c00, code & 0x0080);
    overflow != 0 && (info_type == 0x0400 || info_type == 0)
}

/// Its name in the specification, or its number.
pub(crate) fn name(code: StatusCode) -> String {
    let sub_code = code.sub_code();
    match StatusCode::from_category(sub_code).bits() == code.bits() & SUB_CODE {
        true => sub_code.name().to_owned(),
        false => format!("status {:#010x}", code.bits()),
    }
}

/// Whether an error of a request says that the line is gone or silent, rather than what the server thinks of the request.
/// Then nobody knows whether the server has carried it out.
pub(crate) fn says_nothing(code: StatusCode) -> bool {
    [
        StatusCode::BadTimeout,
        StatusCode::BadRequestTimeout,
        StatusCode::BadConnectionClosed,
        StatusCode::BadNotConnected,
        StatusCode::BadSecureChannelClosed,
        StatusCode::BadSecureChannelIdInvalid,
        StatusCode::BadCommunicationError,
        StatusCode::BadDisconnect,
        StatusCode::BadShutdown,
        StatusCode::BadUnknownResponse,
        StatusCode::BadUnexpectedError,
        StatusCode::BadInternalError,
        StatusCode::BadDecodingError,
        StatusCode::BadRequestInterrupted,
        StatusCode::BadRequestCancelledByClient,
        StatusCode::BadServerNotConnected,
        StatusCode::BadConnectionRejected,
        StatusCode::BadTcpInternalError,
        StatusCode::BadTcpMessageTooLarge,
        StatusCode::BadResponseTooLarge,
        StatusCode::BadInvalidState,
    ]
    .contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sub_code_has_the_quality_of_its_severity() {
        for (code, expect) in [
            (0x0000_0000, Quality::Good),
            // GoodLocalOverride, GoodClamped, and Good at its high limit.
            (0x0096_0000, Quality::Good),
            (0x0030_0000, Quality::Good),
            (0x0000_0600, Quality::Good),
            // Uncertain, UncertainLastUsableValue, UncertainInitialValue, UncertainSubNormal, one with limit bits.
            (0x4000_0000, Quality::Uncertain),
            (0x4090_0000, Quality::Uncertain),
            (0x4092_0000, Quality::Uncertain),
            (0x4095_0000, Quality::Uncertain),
            (0x4090_0500, Quality::Uncertain),
            // Bad, BadSensorFailure, BadOutOfService, BadWaitingForInitialData, BadNodeIdUnknown.
            (0x8000_0000, Quality::Bad),
            (0x808c_0000, Quality::Bad),
            (0x808d_0000, Quality::Bad),
            (0x8032_0000, Quality::Bad),
            (0x8034_0000, Quality::Bad),
            // Reserved.
            (0xc000_0000, Quality::Bad),
            (u32::MAX, Quality::Bad),
        ] {
            assert_eq!(quality(code), expect, "{code:#010x}");
        }
    }

    #[test]
    fn a_queue_that_ran_over_is_told_from_limits_and_reserved_bits() {
        for over in [0x0000_0480, 0x0000_0080, 0x4090_0480, 0x808c_0780] {
            assert!(overflowed(over), "{over:#010x}");
        }
        for not in [0x0000_0000, 0x0000_0600, 0x0000_0400, 0x0000_0880, 0x808c_0000] {
            assert!(!overflowed(not), "{not:#010x}");
        }
    }

    #[test]
    fn a_code_has_its_name_and_an_unknown_one_its_number() {
        assert_eq!(name(StatusCode::BadNodeIdUnknown), "BadNodeIdUnknown");
        assert_eq!(name(StatusCode::from(0x8034_0600)), "BadNodeIdUnknown");
        assert_eq!(name(StatusCode::from(0xbfff_0000)), "status 0xbfff0000");
    }

    #[test]
    fn what_the_server_thinks_is_told_from_what_nobody_knows() {
        for code in [StatusCode::BadTimeout, StatusCode::BadConnectionClosed, StatusCode::BadNotConnected] {
            assert!(says_nothing(code), "{code}");
        }
        for code in [StatusCode::BadTypeMismatch, StatusCode::BadUserAccessDenied, StatusCode::BadNotWritable]
        {
            assert!(!says_nothing(code), "{code}");
        }
    }
}

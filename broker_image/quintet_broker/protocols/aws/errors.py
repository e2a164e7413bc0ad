"""What AWS faces refuse, and AWS's words for what all its services refuse alike.

Source: Common Errors, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One error of AWS, in the words of both protocols."""

    type: str
    """Its shape in AWS JSON, with its namespace."""
    code: str
    """Its code in the query protocol; AWS JSON has it in the header x-amzn-query-error."""
    status: int = 400

    @property
    def fault(self) -> str:
        """Whose fault it is."""
        return "Receiver" if self.status >= 500 else "Sender"


class AwsError(Exception):
    """A request that is refused in AWS's words."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def common(name: str, code: str, status: int = 400) -> Kind:
    """An error that AWS's services share."""
    return Kind(f"com.amazon.coral.service#{name}", code, status)


ACCESS_DENIED = common("AccessDeniedException", "AccessDenied", 403)
INCOMPLETE_SIGNATURE = common("IncompleteSignatureException", "IncompleteSignature")
INVALID_KEY = common("UnrecognizedClientException", "InvalidClientTokenId", 403)
INVALID_VALUE = common("InvalidParameterValueException", "InvalidParameterValue")
MALFORMED = common("SerializationException", "MalformedInput")
MISSING_ACTION = common("MissingActionException", "MissingAction")
MISSING_PARAMETER = common("MissingRequiredParameterException", "MissingParameter")
MISSING_TOKEN = common("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403)
REQUEST_TIMEOUT = common("RequestTimeoutException", "RequestTimeout", 408)
SIGNATURE_MISMATCH = common("InvalidSignatureException", "SignatureDoesNotMatch", 403)
TOO_LARGE = common("RequestEntityTooLargeException", "RequestEntityTooLarge", 413)
UNAVAILABLE = common("ServiceUnavailableException", "ServiceUnavailable", 503)
UNKNOWN_ACTION = common("UnknownOperationException", "InvalidAction")

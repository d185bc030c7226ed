"""aiogen: an asyncio SDK for AI image generation.

async with aiogen.Session() as session:
    generation = await session.generate("luma/uni-1", "a lighthouse at dawn")
    await session.download(generation, "out/")
"""

from aiogen import providers
from aiogen._batch.batch import Batch
from aiogen._batch.check import Check
from aiogen._batch.choice import Where
from aiogen._batch.cleanup import Cleaned, Cleanup, CleanupOutcome
from aiogen._batch.progress import ConnectionProgress, Progress
from aiogen._batch.run import Result
from aiogen._engine.job import Job
from aiogen._transfer.spooling import OutputFile
from aiogen.catalogue import ModelInfo, Parameter
from aiogen.costs import Costs
from aiogen.errors import (
    AiogenError,
    APIError,
    AuthenticationError,
    BudgetReached,
    CancelTimeout,
    ConfigurationError,
    DownloadError,
    GenerationError,
    GenerationFailed,
    GenerationRefused,
    GenerationTimeout,
    InputError,
    InsufficientFunds,
    InvalidRequest,
    KeyReused,
    NetworkError,
    NotFound,
    OutputExpired,
    ProtocolError,
    ProviderError,
    RateLimited,
    RowProblem,
    RowsError,
    SessionClosed,
    StoreError,
    SubmissionUnknown,
    Throttle,
    TooManyJobs,
    UnknownParameter,
    Unsupported,
)
from aiogen.models import (
    AccountInfo,
    Action,
    Cancellation,
    Candidate,
    Cost,
    Eta,
    Event,
    FailureCode,
    Generation,
    Output,
    State,
    Typical,
    UnknownJob,
)
from aiogen.providers import *  # noqa: F403  - whatever providers there are: aiogen.providers lists them
from aiogen.references import Reference
from aiogen.session import Session
from aiogen.stores.base import AtMost

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "AccountInfo",
    "Action",
    "AiogenError",
    "AtMost",
    "AuthenticationError",
    "Batch",
    "BudgetReached",
    "CancelTimeout",
    "Cancellation",
    "Candidate",
    "Check",
    "Cleaned",
    "Cleanup",
    "CleanupOutcome",
    "ConfigurationError",
    "ConnectionProgress",
    "Cost",
    "Costs",
    "DownloadError",
    "Eta",
    "Event",
    "FailureCode",
    "Generation",
    "GenerationError",
    "GenerationFailed",
    "GenerationRefused",
    "GenerationTimeout",
    "InputError",
    "InsufficientFunds",
    "InvalidRequest",
    "Job",
    "KeyReused",
    "ModelInfo",
    "NetworkError",
    "NotFound",
    "Output",
    "OutputExpired",
    "OutputFile",
    "Parameter",
    "Progress",
    "ProtocolError",
    "ProviderError",
    "RateLimited",
    "Reference",
    "Result",
    "RowProblem",
    "RowsError",
    "Session",
    "SessionClosed",
    "State",
    "StoreError",
    "SubmissionUnknown",
    "Throttle",
    "TooManyJobs",
    "Typical",
    "UnknownJob",
    "UnknownParameter",
    "Unsupported",
    "Where",
    "__version__",
]
__all__ += providers.__all__

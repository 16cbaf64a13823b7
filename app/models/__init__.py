"""The tables, one file an entity. Import them from here: mappers resolve only once all of them are known."""

import auth.models as _auth_models  # noqa: F401  (Relations name User, Team and Role.)
from app.models.audit_seal import AuditCheckpoint, AuditSeal, AuditVerification
from app.models.budget import BudgetLevel
from app.models.contact import Contact
from app.models.customer import Customer
from app.models.customer_metrics import CustomerMetrics
from app.models.exchange_rate import ExchangeRate
from app.models.export_link import ExportLink
from app.models.external_ref import ExternalRef
from app.models.kept import (
    AnalyticsChange,
    AnalyticsState,
    CohortBucket,
    CustomerTotal,
    MetricCount,
    OrderFact,
    ProductBucket,
    SalesBucket,
    SegmentSnapshot,
    SegmentSnapshotMonth,
)
from app.models.kept_deals import ClosingBucket, FunnelBucket, OpportunityFact, PipelineBucket, PipelineWay
from app.models.kept_tickets import TicketBucket, TicketFact
from app.models.merge import CustomerMerge
from app.models.opportunity import Opportunity, StageChange
from app.models.order import Order, OrderLine, OrderStatusChange
from app.models.outbox import OutboxEvent
from app.models.product import Product
from app.models.sla import SlaPolicy
from app.models.stage import Stage
from app.models.stages_entered import StagesEntered
from app.models.ticket import Ticket, TicketComment
from auth.models import (
    ApiToken,
    AuditEvent,
    FieldGrant,
    Grant,
    IdempotencyKey,
    OneTimeCode,
    ProviderIdentity,
    RecoveryCode,
    Role,
    SecondFactor,
    Session,
    SlowedDown,
    Team,
    User,
)

__all__ = [
    "AnalyticsChange",
    "AnalyticsState",
    "ApiToken",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditSeal",
    "AuditVerification",
    "BudgetLevel",
    "ClosingBucket",
    "CohortBucket",
    "Contact",
    "Customer",
    "CustomerMerge",
    "CustomerMetrics",
    "CustomerTotal",
    "ExchangeRate",
    "ExportLink",
    "ExternalRef",
    "FieldGrant",
    "FunnelBucket",
    "Grant",
    "IdempotencyKey",
    "MetricCount",
    "OneTimeCode",
    "Opportunity",
    "OpportunityFact",
    "Order",
    "OrderFact",
    "OrderLine",
    "OrderStatusChange",
    "OutboxEvent",
    "PipelineBucket",
    "PipelineWay",
    "Product",
    "ProductBucket",
    "ProviderIdentity",
    "RecoveryCode",
    "Role",
    "SalesBucket",
    "SecondFactor",
    "SegmentSnapshot",
    "SegmentSnapshotMonth",
    "Session",
    "SlaPolicy",
    "SlowedDown",
    "Stage",
    "StageChange",
    "StagesEntered",
    "Team",
    "Ticket",
    "TicketBucket",
    "TicketComment",
    "TicketFact",
    "User",
]

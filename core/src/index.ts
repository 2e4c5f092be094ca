// What transports, stores and the composition root use of the domain.
export type { Clock } from './clock.js';
export type {
  Attachment,
  AttachmentListener,
  AttachRequest,
  BeatResult,
  Caller,
  LeaseCoordinator,
  LeaseView,
  ListPage,
  ListQuery,
  Loss,
  Watch,
  WatchEvent,
  WatchMessage,
  WatchQuery,
  WatchSink,
} from './coordinator/api.js';
export { startCoordinator } from './coordinator/coordinator.js';
export { Fifo } from './coordinator/fifo.js';
export type { CoordinatorOptions } from './coordinator/options.js';
export type { Change, CommittedChange, EventReason, EventType, LeaseEvent } from './lease/change.js';
export { stamp } from './lease/change.js';
export type { Answer, AnswerTo, BusyLease, Claim, Command, Metadata, WriteCommand } from './lease/commands.js';
export { decide } from './lease/decide.js';
export { markedPart } from './lease/verbs/manage.js';
export type { Decision } from './lease/decision.js';
export type { ErrorDetail, ErrorReason, StatusName } from './lease/errors.js';
export { errorReasons, invalidField, LeaseError, limitExceeded } from './lease/errors.js';
export type { Limits } from './lease/limits.js';
export { defaultLimits } from './lease/limits.js';
export type { KubernetesPart, KubernetesSpec } from './lease/kubernetes-part.js';
export { finalizersInTheWay, kubernetesSpec, microTime } from './lease/kubernetes.js';
export type { LeaseKey, LeaseOrigin, LeaseRecord, LeaseState, Revoking, StringMap, WaitingServer } from './lease/record.js';
export { emptyMap, isHeld, isVisible, leaseKey, nobodyElsewhere } from './lease/record.js';
export type { Selector } from './lease/selectors.js';
export { everything, parseSelector } from './lease/selectors.js';
export type { Moment, Queue, Sessions, Situation, Standing } from './lease/situation.js';
export { situationOf } from './lease/situation.js';
export { newRecord } from './lease/tenure.js';
export { checkName, checkNamespace } from './lease/validate.js';
export { MemoryDisk, MemoryStore } from './store/memory.js';
export type { Follower, HistoryPage, NoteEntry, SharedStore, Store, StoreState } from './store/store.js';
export { firstRevision, OutcomeUnknownError, StoreConflictError, StoreFullError } from './store/store.js';

export { StoreOpenError, type StoreOpenCode } from './open-error.js';
export { openSqliteStore, type SqliteStoreOptions } from './store.js';

import { storeContract } from './contract.js';
import { sqlitePlace } from './sqlite-place.js';

storeContract('SQLite store', sqlitePlace);

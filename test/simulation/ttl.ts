/** For how long a session lives that is not renewed. */
export const ttlMs = 3000;

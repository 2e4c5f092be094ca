/**
 * Counts what elections do, for whatever system of metrics there is. The names in brackets are those of client-go's metrics.
 */
export interface ElectionMetrics {
  /** This process leads now: set the gauge to 1 (`leader_election_master_status`). */
  leaderOn(name: string): void;
  /**
   * It leads no more: set the gauge to 0.
   *
   * @param reason why, in the words of `LeaseholdError.reason`: `LEASE_EXPIRED`, `LEASE_LOST`, `LEASE_REVOKED`, `RESIGNED`,
   *   `CLIENT_CLOSED`, or `STOPPED`; or that of a `LeaseholdError` with which the election's signal was aborted.
   */
  leaderOff(name: string, reason: string): void;
  /** No server answered, a win came to nothing, or the work overran (`leader_election_slowpath_total`). */
  campaignFailed(name: string, error: Error): void;
}

import { HeartbeatResponse } from '@leasehold/proto/leasehold/v1/lease_service';

/**
 * Encodes an answer on a stream of heartbeats. Nearly all of them are a bare acknowledgement, field 1 of the message as a varint: that
 * one is written here, without the generated writer's buffers, which is what a beat would cost most.
 */
export function encodeHeartbeatResponse(message: HeartbeatResponse): Buffer {
  const sequence = Number(message.acknowledged);
  if (sequence < smallMax && isBareAcknowledgement(message)) {
    return encodeSmall(sequence);
  }
  return Buffer.from(HeartbeatResponse.encode(message).finish());
}

/** Below this a varint has at most four bytes, and bit operations are exact. */
const smallMax = 2 ** 28;
const acknowledgedTag = 0x08;

function isBareAcknowledgement({ acknowledged, attached, excepted, lost, durations, draining }: HeartbeatResponse): boolean {
  return acknowledged > 0n && attached.length + excepted.length + lost.length + durations.length === 0 && !draining;
}

function encodeSmall(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(1 + (value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : 4));
  bytes[0] = acknowledgedTag;
  let rest = value;
  let at = 1;
  for (; rest > 0x7f; rest >>>= 7) {
    bytes[at++] = (rest & 0x7f) | 0x80;
  }
  bytes[at] = rest;
  return bytes;
}

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

/**
 * Adds server reflection, v1 and v1alpha, so that tools such as grpcurl need no `.proto` files.
 *
 * It serves the files of the committed descriptor set as they are: definitions that come by way of proto-loader have lost the names
 * of their files and their imports, and grpcurl cannot resolve them.
 */
export function addReflection(server: Server): void {
  const path = fileURLToPath(import.meta.resolve('@leasehold/proto/descriptor.binpb'));
  const definitions = { all: define(splitFiles(readFileSync(path))) };
  new ReflectionService(definitions).addToServer(server);
}

type Definition = ConstructorParameters<typeof ReflectionService>[0][string];

/** An entry of a package definition, of which reflection reads nothing but the files. */
function define(fileDescriptorProtos: Buffer[]): Definition {
  return { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos };
}

/** Cuts a `FileDescriptorSet` (`repeated FileDescriptorProto file = 1`) into its files, byte for byte. */
function splitFiles(descriptorSet: Uint8Array): Buffer[] {
  const reader = new BinaryReader(descriptorSet);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) {
      files.push(Buffer.from(reader.bytes()));
    } else {
      reader.skip(wireType);
    }
  }
  return files;
}

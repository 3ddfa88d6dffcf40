// What a file is, by its first bytes and never by its name: as the server judges it.
const HEAD_BYTES = 132;

function starts(bytes, signature, at = 0) {
  return signature.every((byte, index) => bytes[at + index] === byte);
}

export async function kindOf(blob) {
  const bytes = new Uint8Array(await blob.slice(0, HEAD_BYTES).arrayBuffer());
  if (starts(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return "png";
  if (starts(bytes, [0xff, 0xd8, 0xff])) return "jpeg";
  if (starts(bytes, [0x44, 0x49, 0x43, 0x4d], 128)) return "dicom";
  if (starts(bytes, [0x50, 0x4b, 0x03, 0x04]) || starts(bytes, [0x50, 0x4b, 0x05, 0x06])) return "zip";
  return "";
}

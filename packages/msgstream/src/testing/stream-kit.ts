export function testMsgStream(): void {}

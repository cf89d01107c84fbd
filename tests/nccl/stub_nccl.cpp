// Stands for an installed NCCL of version STUB_VERSION that can do nothing else.

extern "C" {

__attribute__((visibility("default"))) int ncclGetVersion(int* version)
{
  *version = STUB_VERSION;
  return 0;
}

#define STUB(name) \
  __attribute__((visibility("default"))) int name() { return 3; }
STUB(ncclGetUniqueId)
STUB(ncclCommInitRankConfig)
STUB(ncclCommGetAsyncError)
STUB(ncclCommAbort)
STUB(ncclReduce)
#if !defined(STUB_WITHOUT_ALL_GATHER)
STUB(ncclAllGather)
#endif
STUB(ncclGetErrorString)
STUB(ncclGetLastError)

}

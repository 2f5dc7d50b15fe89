/** The messages of gRPC's own services that the node answers, from their public definitions (grpc/grpc-proto), as protobufjs JSON. */
const field = (id, type, more = {}) => ({ type, id, ...more })
const unary = (requestType, responseType) => ({ requestType, responseType })

const health = {
  nested: {
    HealthCheckRequest: { fields: { service: field(1, 'string') } },
    HealthCheckResponse: {
      fields: { status: field(1, 'ServingStatus') },
      nested: { ServingStatus: { values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } } },
    },
    Health: {
      methods: {
        Check: unary('HealthCheckRequest', 'HealthCheckResponse'),
        Watch: { ...unary('HealthCheckRequest', 'HealthCheckResponse'), responseStream: true },
      },
    },
  },
}

/** Version 1 and its alpha have the same messages. */
const reflection = () => ({
  nested: {
    ServerReflectionRequest: {
      oneofs: { message_request: { oneof: ['file_by_filename', 'file_containing_symbol', 'file_containing_extension', 'all_extension_numbers_of_type', 'list_services'] } },
      fields: {
        host: field(1, 'string'),
        file_by_filename: field(3, 'string'),
        file_containing_symbol: field(4, 'string'),
        file_containing_extension: field(5, 'ExtensionRequest'),
        all_extension_numbers_of_type: field(6, 'string'),
        list_services: field(7, 'string'),
      },
    },
    ExtensionRequest: { fields: { containing_type: field(1, 'string'), extension_number: field(2, 'int32') } },
    ServerReflectionResponse: {
      oneofs: { message_response: { oneof: ['file_descriptor_response', 'all_extension_numbers_response', 'list_services_response', 'error_response'] } },
      fields: {
        valid_host: field(1, 'string'),
        original_request: field(2, 'ServerReflectionRequest'),
        file_descriptor_response: field(4, 'FileDescriptorResponse'),
        all_extension_numbers_response: field(5, 'ExtensionNumberResponse'),
        list_services_response: field(6, 'ListServiceResponse'),
        error_response: field(7, 'ErrorResponse'),
      },
    },
    FileDescriptorResponse: { fields: { file_descriptor_proto: field(1, 'bytes', { rule: 'repeated' }) } },
    ExtensionNumberResponse: { fields: { base_type_name: field(1, 'string'), extension_number: field(2, 'int32', { rule: 'repeated' }) } },
    ListServiceResponse: { fields: { service: field(1, 'ServiceResponse', { rule: 'repeated' }) } },
    ServiceResponse: { fields: { name: field(1, 'string') } },
    ErrorResponse: { fields: { error_code: field(1, 'int32'), error_message: field(2, 'string') } },
    ServerReflection: {
      methods: { ServerReflectionInfo: { ...unary('ServerReflectionRequest', 'ServerReflectionResponse'), requestStream: true, responseStream: true } },
    },
  },
})

export const grpcSchemas = {
  grpc: {
    nested: {
      health: { nested: { v1: health } },
      reflection: { nested: { v1: reflection(), v1alpha: reflection() } },
    },
  },
}

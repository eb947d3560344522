# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_readplan LINK coolplane_drivers)
coolplane_unit_test(test_null LINK coolplane_drivers)
coolplane_unit_test(test_event LINK coolplane_drivers)
coolplane_unit_test(test_modbus_link SOURCES test_modbus_peer.c LINK coolplane_drivers)
coolplane_unit_test(test_modbus SOURCES test_modbus_env.c test_modbus_peer.c LINK coolplane_drivers)
coolplane_unit_test(test_modbus_write SOURCES test_modbus_env.c test_modbus_peer.c LINK coolplane_drivers)
coolplane_unit_test(test_modbus_frame LINK coolplane_drivers)
coolplane_unit_test(test_modbus_rtu SOURCES test_modbus_env.c LINK coolplane_drivers)
coolplane_unit_test(test_mqtt_parse LINK coolplane_drivers)
coolplane_unit_test(test_mqtt LINK coolplane_drivers)
# A real broker, certificates and back-offs of seconds: 14 s, hardly any of it processor time.
set_tests_properties(unit.test_mqtt PROPERTIES LABELS system)

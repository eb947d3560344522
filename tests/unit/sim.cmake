# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_weather LINK coolplane_plant)
coolplane_unit_test(test_workload LINK coolplane_plant)
coolplane_unit_test(test_chiller_curves LINK coolplane_plant)
coolplane_unit_test(test_arrivals LINK coolplane_plant)
target_compile_definitions(test_arrivals PRIVATE COOLPLANE_DATA_DEFAULT="${CMAKE_SOURCE_DIR}/../shared/data")
coolplane_unit_test(test_plant_vms LINK coolplane_plant)
target_link_options(test_plant_vms PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
coolplane_unit_test(test_plant_text LINK coolplane_simserve)
coolplane_unit_test(test_weather_data LINK coolplane_plant)
target_compile_definitions(test_weather_data PRIVATE COOLPLANE_DATA_DEFAULT="${CMAKE_SOURCE_DIR}/../shared/data")
coolplane_unit_test(test_plant LINK coolplane_plant)
# the test counts allocations while the plant advances
target_link_options(test_plant PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
coolplane_unit_test(test_plant_physics LINK coolplane_plant)
coolplane_unit_test(test_plant_fault LINK coolplane_plant)
coolplane_unit_test(test_plant_plc LINK coolplane_plant)
coolplane_unit_test(test_plant_flow LINK coolplane_plant)
# the served plant, asked by libmodbus
pkg_check_modules(MODBUS REQUIRED IMPORTED_TARGET libmodbus)
coolplane_unit_test(test_modbusd LINK coolplane_simserve coolplane_points PkgConfig::MODBUS Threads::Threads)
# and by the agent's own driver, each device hostile in its own way
coolplane_unit_test(test_modbusd_hostile LINK coolplane_simserve coolplane_drivers)
coolplane_unit_test(test_orchestrator LINK coolplane_simserve coolplane_inventory)
target_compile_definitions(test_modbusd PRIVATE COOLPLANE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
# the yardstick
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
coolplane_unit_test(test_compare LINK coolplane_yardstick PkgConfig::JANSSON)
coolplane_unit_test(test_yardstick LINK coolplane_yardstick)
coolplane_unit_test(test_plant_reference LINK coolplane_plant)
target_compile_definitions(test_plant_reference PRIVATE COOLPLANE_DATA_DEFAULT="${CMAKE_SOURCE_DIR}/../shared/data")
# explorers of the stylised row
coolplane_unit_test(test_explore LINK coolplane_explore)
coolplane_unit_test(test_certify LINK coolplane_certify)

# SPDX-License-Identifier: Apache-2.0
coolplane_unit_test(test_energy LINK coolplane_energy)
coolplane_unit_test(test_train LINK coolplane_train)

"""count against sums by hand."""

import keras
import pytest
from keras import layers

import a2keras
from a2keras import DoubleAttention
from a2keras.position_attention import on_processor
from a2keras.wiring import places_of

pytestmark = pytest.mark.usefixtures("zero_weights")


def functional(*stack, shape=(13, 17, 3)):
    inputs = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    ("layer", "shape", "multiply_adds"),
    [
        (layers.Conv2D(5, 3, padding="same"), (13, 17, 3), 13 * 17 * 9 * 3 * 5),
        (layers.Conv2D(5, 3, strides=2), (13, 17, 3), 6 * 8 * 9 * 3 * 5),
        (layers.Conv2D(6, 3, groups=3, padding="same"), (13, 17, 9), 13 * 17 * 9 * 3 * 6),
        (layers.Conv1D(5, 3, padding="same"), (13, 3), 13 * 3 * 3 * 5),
        (layers.Conv3D(5, (3, 1, 2)), (7, 13, 17, 3), 5 * 13 * 16 * 6 * 3 * 5),
        (layers.DepthwiseConv2D(3, padding="same"), (13, 17, 3), 13 * 17 * 9 * 3),
        (layers.SeparableConv2D(5, 3, padding="same"), (13, 17, 3), 13 * 17 * (9 * 3 + 3 * 5)),
        (layers.Conv2DTranspose(5, 3, strides=2), (13, 17, 3), 13 * 17 * 9 * 3 * 5),
        (layers.Dense(5), (13, 17, 3), 13 * 17 * 3 * 5),
        (layers.BatchNormalization(), (13, 17, 3), 0),
        (layers.MaxPooling2D(), (13, 17, 3), 0),
        (a2keras.SqueezeExcitation(3), (13, 17, 11), 2 * 11 * 3),
        (a2keras.NonLocal(5), (13, 17, 3), 4 * 3 * 5 * 221 + 2 * 5 * 221**2),
    ],
    ids=lambda each: type(each).__name__,
)
def test_multiply_adds_by_hand(layer, shape, multiply_adds):
    counted = a2keras.count(functional(layer, shape=shape))
    assert counted.multiply_adds == counted.planned_multiply_adds == multiply_adds


def test_totals_and_layers():
    norm = layers.BatchNormalization(name="norm")
    model = functional(layers.Conv2D(5, 3, name="conv"), norm, layers.Flatten(), layers.Dense(2))
    counted = a2keras.count(model)
    dense = 11 * 15 * 5 * 2
    assert counted.parameters == model.count_params() == (27 * 5 + 5) + 4 * 5 + dense + 2
    assert counted.trainable_parameters == counted.parameters - 2 * 5
    assert counted.multiply_adds == 11 * 15 * 27 * 5 + dense
    assert counted.activation_bytes == 4 * (13 * 17 * 3 + 3 * 11 * 15 * 5 + 2)
    by_name = {each.name: each for each in counted.by_layer}
    assert by_name["conv"].multiply_adds == 11 * 15 * 27 * 5
    assert by_name["conv"].output_shape == (None, 11, 15, 5)
    assert by_name["norm"].parameters == 20


def test_a_count_prints_in_one_line():
    counted = a2keras.count(functional(layers.Conv2D(5, 3, use_bias=False), shape=(13, 17, 3)))
    assert str(counted) == (
        "135 parameters (135 trainable), 22,275 multiply-adds (22,275 as planned), "
        "5,952 bytes of activations, 2 calls"
    )


def test_half_precision_halves_the_activation_bytes():
    layer = layers.Conv2D(5, 1, dtype="mixed_float16")
    assert a2keras.count(functional(layer)).activation_bytes == 13 * 17 * (4 * 3 + 2 * 5)


def test_double_attention_is_counted_in_the_papers_order_and_as_planned():
    counted = a2keras.count(functional(DoubleAttention(5, 2), shape=(13, 17, 11)))
    positions = 13 * 17
    assert counted.multiply_adds == positions * (2 * 11 * 2 + 2 * 11 * 5 + 2 * 5 * 2)
    # W_phi and W_output are cheaper on 2 descriptors than on 221 positions.
    planned = positions * (2 * 11 * 2 + 2 * 11 * 2) + 2 * (11 * 5 + 5 * 11)
    backend = keras.backend.backend()
    if backend == "torch" or (backend == "jax" and not on_processor()):
        # One product reads the inputs for θ, ρ and φ: more multiply-adds, fewer elements moved.
        planned = positions * (2 * 11 * 2 + 11 * 5 + 5 * 2 + 2 * 11) + 2 * 5 * 11
    assert counted.planned_multiply_adds == planned


def test_shared_layers_count_at_each_use_but_are_there_once():
    shared = layers.Dense(3)
    model = functional(shared, shared)
    counted = a2keras.count(model)
    assert counted.multiply_adds == 2 * 13 * 17 * 9
    assert counted.parameters == sum(each.parameters for each in counted.by_layer) == 12


def test_nested_and_sequential_models():
    inner = keras.Sequential([keras.Input((13, 17, 3)), layers.Dense(5)])
    nested = functional(inner, layers.Dense(2))
    counted = a2keras.count(nested)
    assert counted.multiply_adds == 221 * (3 * 5 + 5 * 2)
    # The input of the inner model is that of the outer one: it is there once.
    assert counted.activation_bytes == 4 * 221 * (3 + 5 + 2)
    assert a2keras.count(inner).multiply_adds == 221 * 15


def test_a_shared_model_counts_at_each_use_but_is_there_once():
    dense = layers.Dense(3)
    shared = keras.Sequential([keras.Input((13, 17, 3)), dense, layers.BatchNormalization()])
    counted = a2keras.count(functional(shared, layers.ReLU(), shared, dense))
    assert counted.multiply_adds == 3 * 221 * 9
    assert counted.parameters == sum(each.parameters for each in counted.by_layer) == 12 + 12
    assert [each.kind for each in counted.by_layer] == [
        *["InputLayer", "Dense", "BatchNormalization", "ReLU"],
        *["Dense", "BatchNormalization", "Dense"],
    ]


def test_a_nested_model_of_unknown_size_is_counted_at_the_size_that_it_gets():
    anywhere = functional(
        layers.Conv2D(5, 3), layers.GlobalAveragePooling2D(), shape=(None,) * 2 + (3,)
    )
    counted = a2keras.count(functional(anywhere, layers.Dense(2)))
    assert counted.multiply_adds == 11 * 15 * 27 * 5 + 5 * 2


def test_models_by_name_in_the_middle_and_in_functions():
    # The order of the inputs is not that of their names.
    sound, image = keras.Input((7,), name="sound"), keras.Input((5,), name="image")
    inner = keras.Model([sound, image], layers.Concatenate()([layers.Dense(3)(sound), image]))
    a, b = keras.Input((5,)), keras.Input((7,))
    called = keras.Model([a, b], inner({"image": a, "sound": b}))
    assert a2keras.count(called).multiply_adds == 7 * 3

    x = keras.Input((7,))
    middle = layers.Dense(3)(x)
    end = layers.Dense(2)(layers.Dense(5)(middle))
    assert a2keras.count(keras.Model(middle, end)).multiply_adds == 3 * 5 + 5 * 2
    function = keras.Function(middle, end)
    assert a2keras.count(keras.Model(x, function(layers.Dense(3)(x)))).multiply_adds == 21 + 25


def test_a_model_at_each_time_step():
    frame = functional(layers.Conv2D(5, 3, name="conv"), layers.GlobalAveragePooling2D())
    at_each = layers.TimeDistributed(frame, name="frames")
    model = functional(at_each, layers.LSTM(2), shape=(7, 13, 17, 3))
    counted = a2keras.count(model)
    by_name = {each.name: each for each in counted.by_layer}
    assert by_name["conv"].multiply_adds == 7 * 11 * 15 * 27 * 5
    assert by_name["conv"].activation_bytes == 7 * 4 * 11 * 15 * 5
    assert counted.multiply_adds == by_name["conv"].multiply_adds + 7 * 8 * (5 + 2)
    assert counted.parameters == sum(each.parameters for each in counted.by_layer)
    dense = a2keras.count(functional(layers.TimeDistributed(layers.Dense(5), name="each")))
    assert [each.name for each in dense.by_layer[1:]] == ["each"]
    assert dense.activation_bytes == 4 * 221 * (3 + 5)


def test_axes_in_the_batch_count():
    block = DoubleAttention(5, 2)
    alone = a2keras.count(functional(block, layers.Conv2D(5, 3), shape=(13, 17, 11)))
    clip = x = keras.Input((7, 13, 17, 11))
    x = keras.ops.reshape(x, (-1, 13, 17, 11))
    frames = layers.Conv2D(5, 3)(block(x))
    counted = a2keras.count(keras.Model(clip, keras.ops.reshape(frames, (-1, 7, 11, 15, 5))))
    at_each = layers.TimeDistributed(block)
    wrapped = a2keras.count(functional(at_each, shape=(7, 13, 17, 11)))
    assert counted.multiply_adds == 7 * alone.multiply_adds
    assert counted.planned_multiply_adds == 7 * alone.planned_multiply_adds
    assert wrapped.multiply_adds == 7 * alone.by_layer[1].multiply_adds
    assert wrapped.planned_multiply_adds == 7 * alone.by_layer[1].planned_multiply_adds
    assert wrapped.multiply_adds != wrapped.planned_multiply_adds


def test_a_fixed_batch_is_counted_for_one_example():
    x = keras.Input(batch_shape=(19, 13, 17, 3))
    counted = a2keras.count(keras.Model(x, layers.Dense(5)(x)))
    assert counted.multiply_adds == 221 * 15
    assert counted.activation_bytes == 4 * 221 * (3 + 5)
    assert counted.by_layer[-1].output_shape == (None, 13, 17, 5)


def test_masks_and_states_are_arguments_of_a_call():
    words, state = keras.Input((13,), dtype="int32"), keras.Input((5,))
    embedded = layers.Embedding(31, 3, mask_zero=True)(words)
    outputs = layers.GRU(5)(embedded, initial_state=state)
    counted = a2keras.count(keras.Model([words, state], outputs))
    assert counted.multiply_adds == 13 * 3 * 5 * (3 + 5)
    assert counted.parameters == 31 * 3 + 3 * 5 * (3 + 5 + 2)


def test_unknown_layers_are_refused():
    class Strange(layers.Layer):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match=r"of kind Strange costs \(layer 'odd'\)"):
        a2keras.count(functional(Strange(name="odd")))


def test_a_layer_may_count_itself():
    class Counted(layers.Layer):
        def call(self, x):
            return x

        def multiply_adds(self, input_shape):
            return 7 * input_shape[-1]

    assert a2keras.count(functional(Counted())).multiply_adds == 21


def test_a_layer_of_several_inputs_gets_their_shapes_as_in_build():
    class Product(layers.Layer):
        def build(self, input_shape):
            self.built_for = input_shape

        def call(self, inputs):
            return inputs[0] @ inputs[1]

        def multiply_adds(self, input_shape):
            assert input_shape == self.built_for
            (_, rows, columns), (_, _, others) = input_shape
            return rows * columns * others

    x, y = keras.Input((7, 5)), keras.Input((5, 11))
    assert a2keras.count(keras.Model([x, y], Product()([x, y]))).multiply_adds == 7 * 5 * 11


def test_subclassed_models_and_unknown_shapes_are_refused():
    class Model(keras.Model):
        pass

    with pytest.raises(ValueError, match=r"needs a functional or a built Sequential.*Model 'sub'"):
        a2keras.count(Model(name="sub"))
    nested = type("Inner", (keras.Model,), {"call": lambda self, x: x})
    with pytest.raises(ValueError, match=r"a call of kind Inner costs \(layer 'inner'\)"):
        a2keras.count(functional(nested(name="inner")))
    with pytest.raises(ValueError, match=r"needs a functional or a built Sequential"):
        a2keras.count(keras.Sequential([layers.Dense(3)]))
    unnamed = keras.Model(i := keras.Input((None, 17, 3)), layers.ReLU()(i))
    with pytest.raises(ValueError, match=rf"layer '{unnamed.layers[0].name}' with output shape"):
        a2keras.count(unnamed)
    with pytest.raises(ValueError, match=r"layer 'any' with output shape \(None, None, 17, 3\)"):
        a2keras.count(keras.Model(i := keras.Input((None, 17, 3), name="any"), layers.ReLU()(i)))


def twice(self, x):
    return self.layers[-1](self.layers[-1](x))


def functional_with_a_call():
    x = keras.Input((7,))
    return type("Own", (keras.Model,), {"call": twice})(x, layers.Dense(7)(x), name="own")


def sequential_with_a_call():
    stack = [keras.Input((7,)), layers.Dense(7)]
    return type("Own", (keras.Sequential,), {"call": twice})(stack, name="own")


@pytest.mark.parametrize("make", [functional_with_a_call, sequential_with_a_call])
def test_a_graph_that_call_does_not_run_is_not_counted(make):
    own = make()
    with pytest.raises(ValueError, match=r"needs a functional or a built Sequential.*'own'"):
        a2keras.count(own)
    with pytest.raises(ValueError, match=r"a functional or a built Sequential model is needed"):
        places_of(own)
    with pytest.raises(ValueError, match=r"costs \(layer 'own'\)"):
        a2keras.count(functional(own, shape=(7,)))


def test_a_subclass_without_a_call_of_its_own_is_counted():
    class Named(keras.Model):
        pass

    x = keras.Input((7,))
    assert a2keras.count(Named(x, layers.Dense(5)(x))).multiply_adds == 7 * 5


def test_text_has_no_number_of_bytes():
    x = keras.Input((3,), dtype="string", name="words")
    with pytest.raises(ValueError, match=r"many bytes a string takes. Received: .* 'words'"):
        a2keras.count(keras.Model(x, layers.Identity()(x)))


def test_the_count_does_not_touch_the_model():
    x = keras.Input((13, 17, 3))
    dense = layers.Dense(5)
    model = keras.Model(x, keras.ops.relu(dense(dense(x)[..., :3])))
    config, weights = model.get_config(), [id(each) for each in model.weights]
    assert a2keras.count(model) == a2keras.count(model)
    assert model.get_config() == config
    assert [id(each) for each in model.weights] == weights
    assert len(dense._inbound_nodes) == 2
